-- What stands in the queues: workers, jobs by state, questions that wait and are under way, the age of the oldest running
-- job (ms), counts of all time.
-- KEYS prefix
local now = now_ms()
local running, paused, waiting, making, oldest = 0, 0, 0, 0, 0
for _, job in ipairs(redis.call('ZRANGE', OPEN, 0, -1)) do
  local about = redis.call('HMGET', key('j', job), 's', 'of', 'd', 'c')
  if about[1] == 'running' or about[1] == 'paused' then
    local taken = redis.call('HLEN', key('t', job))
    making = making + taken
    if about[1] == 'running' then
      running = running + 1
      waiting = waiting + about[2] - about[3] - taken
      oldest = math.max(oldest, now - about[4])
    else
      paused = paused + 1
    end
  end
end
return {redis.call('ZCOUNT', WORKERS, now, '+inf'), running, paused, waiting, making, oldest, redis.call('HGETALL', COUNTS)}
