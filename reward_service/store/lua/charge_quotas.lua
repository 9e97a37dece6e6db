-- Takes what a process has let through from the buckets that all processes share, and says how full each is now.
-- Charges: per bucket the flow in a second, the burst, and what was taken. A bucket that is full again is forgotten,
-- at the latest after FOR_EVER_MS: a flow may be as small as can be, and Redis takes no such times.
-- Told: the last turn of the process that was counted. The same turn again, whose answer was lost, takes nothing more.
local FOR_EVER_MS, REPEATED_MS = 1e15, 24 * 3600 * 1000
local now = now_ms()
local again = turn <= tonumber(redis.call('GET', told) or 0)
local levels = {}
for place, bucket in ipairs(buckets) do
  local per_s, burst, taken = tonumber(charges[3 * place - 2]), tonumber(charges[3 * place - 1]), tonumber(charges[3 * place])
  if again then taken = 0 end
  local kept = redis.call('HMGET', bucket, 'level', 'at')
  local passed_s = math.max(0, now - tonumber(kept[2] or now)) / 1000
  local level = math.min(burst, tonumber(kept[1] or burst) + per_s * passed_s) - taken
  levels[place] = string.format('%.6f', level)
  redis.call('HSET', bucket, 'level', levels[place], 'at', string.format('%d', now))
  local full_ms = 1000 * math.max(1, (burst - level) / per_s)
  redis.call('PEXPIRE', bucket, math.ceil(math.min(FOR_EVER_MS, full_ms)) + 1000)
end
redis.call('SET', told, string.format('%d', turn), 'PX', REPEATED_MS)
return levels
