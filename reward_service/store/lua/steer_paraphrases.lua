-- Something is asked of a job: pause, resume, cancel.
-- KEYS prefix, clock   ARGV job, event
-- Answers whether it may happen, and the state that the job is in afterwards ('' if there is none).
local job = ARGV[1]
local to = advance(job, ARGV[2])
touch(job)
return {to and 1 or 0, redis.call('HGET', key('j', job), 's') or ''}
