-- Requests without identity end: answered (a place is gone) or abandoned (it is free for its request to come again).
-- KEYS places   ARGV text digest, request, "answered" or "abandoned" of each; to a question with steps a text that comes
-- again belongs to the same rollout, so its place stays free after the answer too.
for k = 1, #ARGV, 3 do
  local field = 'p:' .. ARGV[k]
  local packed = redis.call('HGET', KEYS[1], field)
  local kept = {}
  for _, place in ipairs(packed and cmsgpack.unpack(packed) or {}) do
    if place.request ~= ARGV[k + 1] then
      kept[#kept + 1] = place
    elseif ARGV[k + 2] == 'abandoned' then
      place.abandoned = true
      kept[#kept + 1] = place
    end
  end
  if #kept > 0 then
    redis.call('HSET', KEYS[1], field, cmsgpack.pack(kept))
  elseif packed then
    redis.call('HDEL', KEYS[1], field)
  end
end
return 1
