-- A teacher process serves the run. Those that have not said so lately are forgotten.
local now = tick()
local known = redis.call('HGETALL', teachers)
for k = 1, #known, 2 do
  if now - known[k + 1]:match('^%d+') > lately_ms then redis.call('HDEL', teachers, known[k]) end
end
redis.call('HSET', teachers, teacher, string.format('%d ', now) .. presence)
redis.call('PEXPIRE', teachers, CLOCK_TTL_MS)
