-- Shared by the scripts about the ballots of peers.
-- The ballots of a run's policy on one view of a question in one step are a hash, for the runs that it votes for:
--   a the attempt, s 1 when the group is whole, b:<id> a ballot, w:<who waits>
-- A cohort ('c<name>') or batch ('b<name>') that waits for its peers is a hash of its own run:
--   p payload and w channels of a batch, m groups that it still misses, x:<peer> <slot> each of them
local function one_less(awaited, pair)
  local peer = pair:match('^%S+')
  if redis.call('HINCRBY', awaited, peer, -1) <= 0 then redis.call('HDEL', awaited, peer) end
end

-- What has waited waits no longer: neither it nor what it misses is counted.
local function forget(awaiting, waits, awaited, name)
  for _, field in ipairs(redis.call('HKEYS', awaiting)) do
    if field:sub(1, 2) == 'x:' then one_less(awaited, field:sub(3)) end
  end
  redis.call('DEL', awaiting)
  redis.call('ZREM', waits, name)
end

-- It goes to the workers again: 'r', its peers have voted, or 'o', its time is over.
local function let_go(awaiting, jobs, waits, awaited, name, ttl_ms, how)
  local kept = redis.call('HMGET', awaiting, 'p', 'w')
  forget(awaiting, waits, awaited, name)
  if name:sub(1, 1) == 'b' then
    enqueue(jobs, ttl_ms, 'b', name:sub(2), 'p', kept[1], 'w', kept[2], how, '1')
  else
    enqueue(jobs, ttl_ms, 'c', name:sub(2), how, '1')
  end
end
