-- What is known of a job, and that it is in use; counts come after.
local about = redis.call('HMGET', key('j', job), 's', 'w', 'h', 'i', 'of', 'd', 'c', 'e')
if not about[1] or about[1] == 'filling' then return nil end
touch(job)
return {about, redis.call('HLEN', key('t', job)), redis.call('HGETALL', key('n', job))}
