-- Batches that have waited for the teacher for too long go to the workers with what is there: some at a time, so that
-- others' commands are answered between them.
-- KEYS waits, jobs, clock   ARGV prefix, most, ttl_ms, for how long the asker has not looked (ms)
local SLOTS_AT_ONCE = 4096
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', tick(tonumber(ARGV[4])), 'LIMIT', 0, tonumber(ARGV[2]))
local released, slots = 0, 0
for _, batch in ipairs(due) do
  if slots >= SLOTS_AT_ONCE then break end
  local waiting = ARGV[1] .. 'w:' .. batch
  redis.call('ZREM', KEYS[1], batch)
  if redis.call('EXISTS', waiting) == 1 then
    for slot in redis.call('HGET', waiting, 's'):gmatch('[^\n]+') do
      local key = ARGV[1] .. 'l:' .. slot
      slots = slots + 1
      local place = redis.call('HGET', key, 'b:' .. batch)
      if place then
        redis.call('HDEL', key, 'b:' .. batch)
        redis.call('HINCRBY', key, 'n', -tonumber(place:match(':(%d+)')))
      end
    end
    release(waiting, KEYS[2], KEYS[1], batch, tonumber(ARGV[3]), true)
    released = released + 1
  end
end
return released
