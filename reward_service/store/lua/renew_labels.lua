-- A teacher is still at work on these; it gets back those that it has lost.
local lost, now = {}, tick()
for _, slot in ipairs(slots) do
  if redis.call('HGET', prefix .. 'l:' .. slot, 'o') == teacher and redis.call('ZSCORE', taken, slot) then
    redis.call('ZADD', taken, now + lease_ms, slot)
  else
    lost[#lost + 1] = slot
  end
end
return lost
