-- A text becomes the second view of a question, unless it is another question's already.
-- KEYS prefix, clock   ARGV job, digest of the text, digest of the question
-- Answers 1 if it is this question's.
local job = ARGV[1]
if redis.call('EXISTS', key('j', job)) == 0 then return 1 end
redis.call('HSETNX', key('g', job), ARGV[2], ARGV[3])
touch(job)
return redis.call('HGET', key('g', job), ARGV[2]) == ARGV[3] and 1 or 0
