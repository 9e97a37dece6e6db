-- Questions that are coming: the teacher is told their text and asked for their labels before any rollout waits.
-- `coming` is for each slot: slot, question_id, view, what is asked.
need = need or tonumber(redis.call('HGET', teacher, 'accepted') or '0')
for k, key in ipairs(slot_keys) do
  local p = 4 * k - 3
  redis.call('HSET', key, 'q', coming[p + 1], 'd', coming[p + 2], 'x', coming[p + 3])
  if not has(key, need) then want(key, need) end
  ask(asks, taken, key, coming[p], ttl_ms)
  redis.call('PEXPIRE', key, ttl_ms)
end
return #slot_keys
