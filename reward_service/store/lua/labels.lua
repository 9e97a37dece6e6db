-- Shared by the scripts about the teacher's labels. A slot is one view of a question:
--   q question_id, d view, x what the teacher is asked, v version and r record of its newest label,
--   m oldest version that somebody wants, n rollouts that wait, o the teacher at work on it,
--   b:<batch> a batch that waits: 'version it needs:rollouts it has'
-- A waiting batch: p payload, m labels it still misses, s its slots in lines, w:<replica> who waits for it
-- A label is asked for as soon as somebody wants it and its text is known, by as many rollouts as wait for it.
local function ask(asks, taken, key, slot, ttl_ms)
  local known = redis.call('HMGET', key, 'm', 'x', 'n')
  if not known[1] or not known[2] or redis.call('ZSCORE', taken, slot) then return end
  redis.call('ZADD', asks, known[3] or 0, slot)
  redis.call('PEXPIRE', asks, ttl_ms)
end

local function want(key, need)
  local wanted = redis.call('HGET', key, 'm')
  if not wanted or tonumber(wanted) < need then redis.call('HSET', key, 'm', need) end
end

local function has(key, need)
  local version = redis.call('HGET', key, 'v')
  return version and tonumber(version) >= need
end

-- A batch goes to the workers: with all of its labels, or overdue without some.
local function release(waiting, jobs, waits, batch, ttl_ms, overdue)
  local replicas = {}
  for _, field in ipairs(redis.call('HKEYS', waiting)) do
    if field:sub(1, 2) == 'w:' then replicas[#replicas + 1] = field:sub(3) end
  end
  enqueue(jobs, ttl_ms, 'b', batch, 'p', redis.call('HGET', waiting, 'p'), 'w', table.concat(replicas, '\n'),
    'o', overdue and '1' or '')
  redis.call('DEL', waiting)
  redis.call('ZREM', waits, batch)
end
