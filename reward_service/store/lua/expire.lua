-- Closes the cohorts whose time is over and queues them, at most ARGV[2] at a time.
-- KEYS deadlines, jobs   ARGV prefix, most, ttl_ms
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms(), 'LIMIT', 0, tonumber(ARGV[2]))
for _, cohort in ipairs(due) do
  local key = ARGV[1] .. 'c:' .. cohort
  redis.call('ZREM', KEYS[1], cohort)
  if redis.call('HGET', key, 's') == 'open' then
    advance(key, 'open', 'deadline')
    enqueue(KEYS[2], ARGV[3], 'c', cohort)
  end
end
return #due
