-- How many labels a batch still waits for, and the version that they must have; nothing of a batch that waits for none.
local known = redis.call('HMGET', waiting, 's', 'm')
if not known[1] then return {} end
for slot in known[1]:gmatch('[^\n]+') do
  local place = redis.call('HGET', prefix .. 'l:' .. slot, 'b:' .. batch)
  if place then return {tonumber(known[2]), tonumber(place:match('^(%d+):'))} end
end
return {}
