-- Questions of a job that comes in; `first` is the index of the first.
if redis.call('HGET', key('j', job), 's') ~= 'filling' then return 0 end
for k, question in ipairs(questions) do redis.call('HSET', key('q', job), first + k - 1, question) end
redis.call('PEXPIRE', key('j', job), filling_ms)
redis.call('PEXPIRE', key('q', job), filling_ms)
return 1
