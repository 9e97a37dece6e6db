-- Batches that have waited for the teacher for too long go to the workers with what is there: some at a time, so that
-- others' commands are answered between them.
local SLOTS_AT_ONCE = 4096
local now = tick(unseen_ms)
local due = redis.call('ZRANGEBYSCORE', waits, '-inf', now, 'LIMIT', 0, most)
local released, slots = 0, 0
for _, batch in ipairs(due) do
  if slots >= SLOTS_AT_ONCE then break end
  local waiting = prefix .. 'w:' .. batch
  redis.call('ZREM', waits, batch)
  if redis.call('EXISTS', waiting) == 1 then
    for slot in redis.call('HGET', waiting, 's'):gmatch('[^\n]+') do
      local key = prefix .. 'l:' .. slot
      slots = slots + 1
      local place = redis.call('HGET', key, 'b:' .. batch)
      if place then
        redis.call('HDEL', key, 'b:' .. batch)
        redis.call('HINCRBY', key, 'n', -tonumber(place:match(':(%d+)')))
      end
    end
    release(waiting, jobs, waits, batch, ttl_ms, true)
    released = released + 1
  end
end

-- The same of what has waited for its peers.
for _, name in ipairs(redis.call('ZRANGEBYSCORE', peer_waits, '-inf', now, 'LIMIT', 0, most)) do
  local awaiting = prefix .. 'p:' .. name
  redis.call('ZREM', peer_waits, name)
  if redis.call('EXISTS', awaiting) == 1 then
    let_go(awaiting, jobs, peer_waits, awaited, name, ttl_ms, 'o')
    released = released + 1
  end
end
return released
