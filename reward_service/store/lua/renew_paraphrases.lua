-- A worker says that it is there, and all that it has in hand. Others may take what it does not know that it has taken: the
-- answer was lost. It gets back those of the jobs that nobody wants any more.
-- `claims` are job and index by turns.
local in_hand, unwanted, seen = {}, {}, {}
tick()
lease(worker, lease_ms)
redis.call('HSET', SAID, worker, presence)
redis.call('PEXPIRE', SAID, CLOCK_TTL_MS)
for k = 1, #claims, 2 do
  local job = claims[k]
  in_hand[job .. ':' .. claims[k + 1]] = true
  if not seen[job] then
    seen[job] = true
    local state = redis.call('HGET', key('j', job), 's')
    if state ~= 'running' and state ~= 'paused' then unwanted[#unwanted + 1] = job end
  end
end
for _, job in ipairs(redis.call('ZRANGE', OPEN, 0, -1)) do
  local taken = redis.call('HGETALL', key('t', job))
  for k = 1, #taken, 2 do
    if taken[k + 1] == worker and not in_hand[job .. ':' .. taken[k]] then give_back(job, taken[k]) end
  end
end
return unwanted
