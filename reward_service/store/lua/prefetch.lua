-- Questions that are coming: the teacher is told their text and asked for their labels before any rollout waits.
-- KEYS teacher, asks, taken, then each slot
-- ARGV ttl_ms, version needed ('' the newest announced), then for each slot: slot, question_id, view, what is asked
local ttl_ms = tonumber(ARGV[1])
local need = tonumber(ARGV[2]) or tonumber(redis.call('HGET', KEYS[1], 'accepted') or '0')
for k = 4, #KEYS do
  local p = 3 + (k - 4) * 4
  redis.call('HSET', KEYS[k], 'q', ARGV[p + 1], 'd', ARGV[p + 2], 'x', ARGV[p + 3])
  if not has(KEYS[k], need) then want(KEYS[k], need) end
  ask(KEYS[2], KEYS[3], KEYS[k], ARGV[p], ttl_ms)
  redis.call('PEXPIRE', KEYS[k], ttl_ms)
end
return #KEYS - 3
