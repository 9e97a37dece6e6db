-- A teacher does not finish these: others may take them at once.
for _, slot in ipairs(slots) do
  local key = prefix .. 'l:' .. slot
  if redis.call('HGET', key, 'o') == teacher and redis.call('ZREM', taken, slot) == 1 then
    ask(asks, taken, key, slot, ttl_ms)
  end
end
return 1
