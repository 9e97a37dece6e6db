-- A label: kept unless one of its version or a newer one is there, and every batch goes on that has waited for it.
-- KEYS slot, asks, taken, jobs, waits, clock   ARGV prefix, slot, version, record, ttl_ms, teacher
local ttl_ms, version = tonumber(ARGV[5]), tonumber(ARGV[3])
if not has(KEYS[1], version) then
  redis.call('HSET', KEYS[1], 'v', version, 'r', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ttl_ms)
end
local newest = tonumber(redis.call('HGET', KEYS[1], 'v'))
if redis.call('HGET', KEYS[1], 'o') == ARGV[6] then
  redis.call('ZREM', KEYS[3], ARGV[2])
  redis.call('HDEL', KEYS[1], 'o')
end
local released = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field:sub(1, 2) == 'b:' then
    local need, rollouts = redis.call('HGET', KEYS[1], field):match('(%d+):(%d+)')
    if tonumber(need) <= newest then
      local batch = field:sub(3)
      redis.call('HDEL', KEYS[1], field)
      redis.call('HINCRBY', KEYS[1], 'n', -tonumber(rollouts))
      local waiting = ARGV[1] .. 'w:' .. batch
      if redis.call('EXISTS', waiting) == 1 and redis.call('HINCRBY', waiting, 'm', -1) <= 0 then
        release(waiting, KEYS[4], KEYS[5], batch, ttl_ms, false)
        released = released + 1
      end
    end
  end
end
local wanted = redis.call('HGET', KEYS[1], 'm')
if wanted and tonumber(wanted) <= newest then
  redis.call('HDEL', KEYS[1], 'm')
  redis.call('ZREM', KEYS[2], ARGV[2])
else
  ask(KEYS[2], KEYS[3], KEYS[1], ARGV[2], ttl_ms)
end
return released
