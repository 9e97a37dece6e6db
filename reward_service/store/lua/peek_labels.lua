-- What a teacher of this version could take: the rollouts that wait for its most wanted label (-1: there is none), and
-- how many labels wait for a newer version.
local SEEN_AT_MOST = 4096
local best, too_new = -1, 0
local found = redis.call('ZREVRANGE', asks, 0, SEEN_AT_MOST - 1, 'WITHSCORES')
for k = 1, #found, 2 do
  local wanted = redis.call('HGET', prefix .. 'l:' .. found[k], 'm')
  if wanted and tonumber(wanted) > version then
    too_new = too_new + 1
  elseif wanted and best < 0 then
    best = tonumber(found[k + 1])
  end
end
return {best, too_new}
