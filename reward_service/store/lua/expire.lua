-- Closes the cohorts whose time is over and queues them, looking at ARGV[2] at most; how many. A deadline may outlive its
-- cohort, should no worker have come for as long as things are kept.
-- KEYS deadlines, jobs   ARGV prefix, most, ttl_ms
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms(), 'LIMIT', 0, tonumber(ARGV[2]))
local closed = 0
for _, cohort in ipairs(due) do
  local key = ARGV[1] .. 'c:' .. cohort
  redis.call('ZREM', KEYS[1], cohort)
  if redis.call('HGET', key, 's') == 'open' then
    advance(key, 'open', 'deadline')
    enqueue(KEYS[2], ARGV[3], 'c', cohort)
    closed = closed + 1
  end
end
return closed
