-- A teacher is still at work on these; it gets back those that it has lost.
-- KEYS taken, clock   ARGV prefix, teacher, lease_ms, then slots
local lost, now = {}, tick()
for k = 4, #ARGV do
  local slot = ARGV[k]
  if redis.call('HGET', ARGV[1] .. 'l:' .. slot, 'o') == ARGV[2] and redis.call('ZSCORE', KEYS[1], slot) then
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), slot)
  else
    lost[#lost + 1] = slot
  end
end
return lost
