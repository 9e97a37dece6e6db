-- A label: kept unless one of its version or a newer one is there, and every batch goes on that has waited for it.
if not has(slot, version) then
  redis.call('HSET', slot, 'v', version, 'r', record)
  redis.call('PEXPIRE', slot, ttl_ms)
end
local newest = tonumber(redis.call('HGET', slot, 'v'))
if redis.call('HGET', slot, 'o') == teacher then
  redis.call('ZREM', taken, slot_name)
  redis.call('HDEL', slot, 'o')
end
local released = 0
for _, field in ipairs(redis.call('HKEYS', slot)) do
  if field:sub(1, 2) == 'b:' then
    local need, rollouts = redis.call('HGET', slot, field):match('(%d+):(%d+)')
    if tonumber(need) <= newest then
      local batch = field:sub(3)
      redis.call('HDEL', slot, field)
      redis.call('HINCRBY', slot, 'n', -tonumber(rollouts))
      local waiting = prefix .. 'w:' .. batch
      if redis.call('EXISTS', waiting) == 1 and redis.call('HINCRBY', waiting, 'm', -1) <= 0 then
        release(waiting, jobs, waits, batch, ttl_ms, false)
        released = released + 1
      end
    end
  end
end
local wanted = redis.call('HGET', slot, 'm')
if wanted and tonumber(wanted) <= newest then
  redis.call('HDEL', slot, 'm')
  redis.call('ZREM', asks, slot_name)
else
  ask(asks, taken, slot, slot_name, ttl_ms)
end
return released
