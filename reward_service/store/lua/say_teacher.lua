-- A teacher process serves the run. Those that have not said so lately, nor that they leave, are counted as lost.
local now, lost = tick(), 0
local known = redis.call('HGETALL', teachers)
for k = 1, #known, 2 do
  if known[k] ~= teacher and now - known[k + 1]:match('^%d+') > lately_ms then
    lost = lost + redis.call('HDEL', teachers, known[k])
  end
end
redis.call('HSET', teachers, teacher, string.format('%d ', now) .. presence)
redis.call('PEXPIRE', teachers, CLOCK_TTL_MS)
if lost > 0 then
  redis.call('HINCRBY', standing, 'lost', lost)
  redis.call('PEXPIRE', standing, ttl_ms)
end
