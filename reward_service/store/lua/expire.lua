-- Closes the cohorts whose time is over and queues them, looking at `most` at most. A deadline may outlive its cohort,
-- should no worker have come for as long as things are kept.
-- Answers how many were closed, and the time.
local now = tick(unseen_ms)
local due = redis.call('ZRANGEBYSCORE', deadlines, '-inf', now, 'LIMIT', 0, most)
local closed = 0
local said = #due > 0 and is_followed(redis.call('HGET', settings, 'followed')) and {'f', '0'} or {}
for _, cohort in ipairs(due) do
  local key = prefix .. 'c:' .. cohort
  redis.call('ZREM', deadlines, cohort)
  if redis.call('HGET', key, 's') == 'open' then
    advance(key, 'open', 'deadline')
    enqueue(jobs, ttl_ms, 'c', cohort, unpack(said))
    closed = closed + 1
  end
end

-- For how long a job has been in a worker's hands is told by the server's clock alone: one that was set back begins anew.
if redis.call('HDEL', CLOCK, 'b') == 1 then
  local from = '-'
  while true do
    local page = redis.pcall('XPENDING', jobs, group, from, '+', 1000)
    if page.err or #page == 0 then break end
    for _, job in ipairs(page) do redis.call('XCLAIM', jobs, group, job[2], 0, job[1], 'IDLE', 0, 'JUSTID') end
    from = '(' .. page[#page][1]
  end
end
return {closed, now}
