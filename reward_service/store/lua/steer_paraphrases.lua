-- Something is asked of a job: pause, resume, cancel.
-- Answers whether it may happen, and the state that the job is in afterwards ('' if there is none).
local to = advance(job, event)
touch(job)
return {to and 1 or 0, redis.call('HGET', key('j', job), 's') or ''}
