-- Closes the cohorts whose time is over and queues them, looking at ARGV[2] at most. A deadline may outlive its cohort,
-- should no worker have come for as long as things are kept.
-- KEYS deadlines, jobs, clock   ARGV prefix, most, ttl_ms, for how long the asker has not looked (ms), group
-- Answers how many were closed, and the time.
local now = tick(tonumber(ARGV[4]))
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))
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

-- For how long a job has been in a worker's hands is told by the server's clock alone: one that was set back begins anew.
if redis.call('HDEL', CLOCK, 'b') == 1 then
  local from = '-'
  while true do
    local page = redis.pcall('XPENDING', KEYS[2], ARGV[5], from, '+', 1000)
    if page.err or #page == 0 then break end
    for _, job in ipairs(page) do redis.call('XCLAIM', KEYS[2], ARGV[5], job[2], 0, job[1], 'IDLE', 0, 'JUSTID') end
    from = '(' .. page[#page][1]
  end
end
return {closed, now}
