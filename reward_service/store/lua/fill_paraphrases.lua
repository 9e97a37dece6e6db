-- Questions of a job that comes in.
-- KEYS prefix, clock   ARGV job, filling_ms, first index, then questions
local job = ARGV[1]
if redis.call('HGET', key('j', job), 's') ~= 'filling' then return 0 end
for k = 4, #ARGV do redis.call('HSET', key('q', job), tonumber(ARGV[3]) + k - 4, ARGV[k]) end
redis.call('PEXPIRE', key('j', job), ARGV[2])
redis.call('PEXPIRE', key('q', job), ARGV[2])
return 1
