-- A teacher process serves the run. Those that have not said so lately are forgotten.
-- KEYS teachers, clock   ARGV teacher, what it says of itself, how long ago is lately (ms)
local now = tick()
local known = redis.call('HGETALL', KEYS[1])
for k = 1, #known, 2 do
  if now - known[k + 1]:match('^%d+') > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], known[k]) end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d ', now) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], CLOCK_TTL_MS)
