-- A batch that the teacher labels: queued at once if all of its labels are there, else kept until they are.
-- `ticket` is of a part by the same name, `cast` what a job says where ballots are kept for peers. `wanted` is for each slot: slot, question_id, view, version needed ('' the
-- newest announced), rollouts that wait for it (0: only its text is told), what the teacher is asked ('' unknown), whether
-- that must be known ('1').
local known = redis.call('GET', batch)
if known then
  if redis.call('EXISTS', waiting) == 1 then redis.call('HSET', waiting, 'w:' .. replica, 1) end
  return {'known', known}
end
if redis.call('EXISTS', ticket) == 1 then return {'reused'} end
local run = redis.call('HMGET', settings, 'revision', 'followed')
if (run[1] or '0') ~= revision then return {'stale'} end
if redis.call('XLEN', jobs) >= most_jobs or redis.call('ZCARD', waits) >= most_waiting then
  return {'full'}
end
local slots = {}
local announced = tonumber(redis.call('HGET', teacher, 'accepted') or '0')
for k, key in ipairs(slot_keys) do
  local p = 7 * k - 6
  local slot = {key = key, name = wanted[p], question = wanted[p + 1], view = wanted[p + 2],
    need = tonumber(wanted[p + 3]) or announced, rollouts = tonumber(wanted[p + 4]), text = wanted[p + 5]}
  if slot.text == '' and wanted[p + 6] == '1' and redis.call('HEXISTS', slot.key, 'x') == 0 then
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
    redis.call('HSET', slot.key, 'b:' .. name, slot.need .. ':' .. slot.rollouts)
    redis.call('HINCRBY', slot.key, 'n', slot.rollouts)
    want(slot.key, slot.need)
  end
  ask(asks, taken, slot.key, slot.name, ttl_ms)
  redis.call('PEXPIRE', slot.key, ttl_ms)
  names[#names + 1] = slot.name
end
redis.call('SET', batch, 'P' .. fingerprint .. rollouts, 'PX', ttl_ms)
if is_followed(run[2]) then -- peers do not wait for the teacher: a job by itself says that there are ballots for them
  enqueue(jobs, ttl_ms, 'b', name, 'p', payload, 'w', '', 'f', cast, 'y', '1')
end
redis.call('HSET', waiting, 'p', payload, 'm', missing, 's', table.concat(names, '\n'), 'w:' .. replica, 1)
if missing == 0 then
  release(waiting, jobs, waits, name, ttl_ms, false)
else
  redis.call('PEXPIRE', waiting, ttl_ms)
  redis.call('ZADD', waits, now_ms() + patience_ms, name)
  redis.call('PEXPIRE', waits, ttl_ms)
end
return {'new'}
