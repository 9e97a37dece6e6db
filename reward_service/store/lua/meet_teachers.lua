-- What the teacher processes of a run say of themselves that were seen lately.
local now, said = tick(unseen_ms), {}
for _, known in ipairs(redis.call('HVALS', teachers)) do
  local at, words = known:match('^(%d+) (.*)$')
  if now - at <= lately_ms then said[#said + 1] = words end
end
return said
