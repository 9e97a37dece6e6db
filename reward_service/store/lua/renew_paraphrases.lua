-- A worker says that it is there, and all that it has in hand. Others may take what it does not know that it has taken: the
-- answer was lost. It gets back those of the jobs that nobody wants any more.
-- KEYS prefix, clock   ARGV worker, lease_ms, what it says of itself, then job and index by turns
local worker, in_hand, unwanted, seen = ARGV[1], {}, {}, {}
tick()
lease(worker, tonumber(ARGV[2]))
redis.call('HSET', SAID, worker, ARGV[3])
redis.call('PEXPIRE', SAID, CLOCK_TTL_MS)
for k = 4, #ARGV, 2 do
  local job = ARGV[k]
  in_hand[job .. ':' .. ARGV[k + 1]] = true
  if not seen[job] then
    seen[job] = true
    local state = redis.call('HGET', key('j', job), 's')
    if state ~= 'running' and state ~= 'paused' then unwanted[#unwanted + 1] = job end
  end
end
for _, job in ipairs(redis.call('ZRANGE', OPEN, 0, -1)) do
  local claims = redis.call('HGETALL', key('t', job))
  for k = 1, #claims, 2 do
    if claims[k + 1] == worker and not in_hand[job .. ':' .. claims[k]] then give_back(job, claims[k]) end
  end
end
return unwanted
