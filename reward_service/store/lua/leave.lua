-- A request without identity ends: answered (its place is gone) or abandoned (its place is free for it to come again).
-- KEYS places   ARGV text digest, request, "answered" or "abandoned"
local packed = redis.call('HGET', KEYS[1], 'p:' .. ARGV[1])
if not packed then return 0 end
local kept = {}
for _, place in ipairs(cmsgpack.unpack(packed)) do
  if place.request ~= ARGV[2] then
    kept[#kept + 1] = place
  elseif ARGV[3] == 'abandoned' then
    place.abandoned = true
    kept[#kept + 1] = place
  end
end
if #kept > 0 then
  redis.call('HSET', KEYS[1], 'p:' .. ARGV[1], cmsgpack.pack(kept))
else
  redis.call('HDEL', KEYS[1], 'p:' .. ARGV[1])
end
return 1
