-- Notes how many requests a process holds of each gauge, and says how many the other processes hold that said so lately.
local now = now_ms()
local elsewhere = {}
for place, gauge in ipairs(gauges) do
  local others, counts = 0, redis.call('HGETALL', gauge)
  for at = 1, #counts, 2 do
    local count, said_ms = counts[at + 1]:match('^(%d+) (%d+)$')
    if now - tonumber(said_ms) > lately_ms then
      redis.call('HDEL', gauge, counts[at])
    elseif counts[at] ~= process then
      others = others + tonumber(count)
    end
  end
  redis.call('HSET', gauge, process, string.format('%d %d', tonumber(held[place]), now))
  redis.call('PEXPIRE', gauge, lately_ms)
  elsewhere[place] = others
end
return elsewhere
