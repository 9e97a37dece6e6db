-- What stands in the queues: workers, jobs by state, questions that wait and are under way, the age of the oldest running
-- job (ms), counts of all time.
local now = tick(unseen_ms)
local running, paused, waiting, making, oldest = 0, 0, 0, 0, 0
local jobs = redis.call('ZRANGE', OPEN, 0, -1, 'WITHSCORES')
for k = 1, #jobs, 2 do
  local job = jobs[k]
  local about = redis.call('HMGET', key('j', job), 's', 'of', 'd')
  if about[1] == 'running' or about[1] == 'paused' then
    local taken = redis.call('HLEN', key('t', job))
    making = making + taken
    if about[1] == 'running' then
      running = running + 1
      waiting = waiting + about[2] - about[3] - taken
      oldest = math.max(oldest, now - jobs[k + 1])
    else
      paused = paused + 1
    end
  end
end
return {redis.call('ZCOUNT', WORKERS, now, '+inf'), running, paused, waiting, making, oldest, redis.call('HGETALL', COUNTS)}
