-- A batch that the teacher labels: queued at once if all of its labels are there, else kept until they are.
-- KEYS batch, jobs, settings, teacher, waits, asks, taken, waiting batch, ticket of a part by the same name, then each
--      slot, then clock
-- ARGV id, fingerprint, payload, revision, most jobs, ttl_ms, replica, rollouts, most waiting, patience_ms,
--      then for each slot: slot, question_id, view, version needed ('' the newest announced), rollouts that wait for it
--      (0: only its text is told), what the teacher is asked ('' unknown), whether that must be known ('1')
local known = redis.call('GET', KEYS[1])
if known then
  if redis.call('EXISTS', KEYS[8]) == 1 then redis.call('HSET', KEYS[8], 'w:' .. ARGV[7], 1) end
  return {'known', known}
end
if redis.call('EXISTS', KEYS[9]) == 1 then return {'reused'} end
if (redis.call('HGET', KEYS[3], 'revision') or '0') ~= ARGV[4] then return {'stale'} end
if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[5]) or redis.call('ZCARD', KEYS[5]) >= tonumber(ARGV[9]) then
  return {'full'}
end
local ttl_ms, slots = tonumber(ARGV[6]), {}
local announced = tonumber(redis.call('HGET', KEYS[4], 'accepted') or '0')
for k = 10, #KEYS - 1 do
  local p = 11 + (k - 10) * 7
  local slot = {key = KEYS[k], name = ARGV[p], question = ARGV[p + 1], view = ARGV[p + 2],
    need = tonumber(ARGV[p + 3]) or announced, rollouts = tonumber(ARGV[p + 4]), text = ARGV[p + 5]}
  if slot.text == '' and ARGV[p + 6] == '1' and redis.call('HEXISTS', slot.key, 'x') == 0 then
    return {'untold', slot.question, slot.view}
  end
  slots[#slots + 1] = slot
end

local missing, names = 0, {}
for _, slot in ipairs(slots) do
  redis.call('HSET', slot.key, 'q', slot.question, 'd', slot.view)
  if slot.text ~= '' then redis.call('HSET', slot.key, 'x', slot.text) end
  if slot.rollouts > 0 and not has(slot.key, slot.need) then
    missing = missing + 1
    redis.call('HSET', slot.key, 'b:' .. ARGV[1], slot.need .. ':' .. slot.rollouts)
    redis.call('HINCRBY', slot.key, 'n', slot.rollouts)
    want(slot.key, slot.need)
  end
  ask(KEYS[6], KEYS[7], slot.key, slot.name, ttl_ms)
  redis.call('PEXPIRE', slot.key, ttl_ms)
  names[#names + 1] = slot.name
end
redis.call('SET', KEYS[1], 'P' .. ARGV[2] .. ARGV[8], 'PX', ttl_ms)
redis.call('HSET', KEYS[8], 'p', ARGV[3], 'm', missing, 's', table.concat(names, '\n'), 'w:' .. ARGV[7], 1)
if missing == 0 then
  release(KEYS[8], KEYS[2], KEYS[5], ARGV[1], ttl_ms, false)
else
  redis.call('PEXPIRE', KEYS[8], ttl_ms)
  redis.call('ZADD', KEYS[5], now_ms() + tonumber(ARGV[10]), ARGV[1])
  redis.call('PEXPIRE', KEYS[5], ttl_ms)
end
return {'new'}
