-- A text becomes the second view of a question, unless it is another question's already.
-- Both are given by their digests. Answers 1 if it is this question's.
if redis.call('EXISTS', key('j', job)) == 0 then return 1 end
redis.call('HSETNX', key('g', job), text, question)
touch(job)
return redis.call('HGET', key('g', job), text) == question and 1 or 0
