-- An outcome, kept and counted once: that of whoever comes first.
local about = redis.call('HMGET', key('j', job), 's', 'of')
if not about[1] or about[1] == 'cancelled' then return 0 end
if redis.call('HSETNX', key('r', job), index, outcome) == 0 then return 0 end
redis.call('HDEL', key('t', job), index)
redis.call('ZREM', key('a', job), index)
for _, name in ipairs(counted) do
  redis.call('HINCRBY', key('n', job), name, 1)
  count(name, 1)
end
if redis.call('HINCRBY', key('j', job), 'd', 1) == tonumber(about[2]) then advance(job, 'finish') end
offer(job)
touch(job)
return 1
