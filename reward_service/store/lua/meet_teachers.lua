-- What the teacher processes of a run say of themselves that were seen lately.
-- KEYS teachers, clock   ARGV how long ago is lately (ms), for how long the asker has not looked (ms)
local now, said = tick(tonumber(ARGV[2])), {}
for _, known in ipairs(redis.call('HVALS', KEYS[1])) do
  local at, words = known:match('^(%d+) (.*)$')
  if now - at <= tonumber(ARGV[1]) then said[#said + 1] = words end
end
return said
