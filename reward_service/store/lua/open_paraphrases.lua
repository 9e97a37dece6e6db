-- A job whose questions are all there is given to the workers.
-- Answers 1 if it is there now, 0 if it or a part of it is gone.
local state = redis.call('HGET', key('j', job), 's')
if state ~= 'filling' then return state and 1 or 0 end
if redis.call('HLEN', key('q', job)) ~= of then return 0 end
redis.call('HSET', key('j', job), 'of', of, 'h', columns, 'c', server_ms())
redis.call('ZADD', OPEN, now_ms(), job)
if redis.call('HGET', key('j', job), 'i') == '0' then
  for _, old in ipairs(redis.call('ZRANGE', JOBS, 0, 9)) do
    if redis.call('EXISTS', key('j', old)) == 0 then redis.call('ZREM', JOBS, old) end
  end
  redis.call('ZADD', JOBS, now_ms(), job)
end
advance(job, 'fill')
touch(job)
return 1
