-- Ballots with identities join their cohorts: all of them, or none if one contradicts an earlier one. A ticket that is
-- there says that this request came before, or another one under its key: nothing joins.
-- `content` is the ticket's, '' for none; `batch` is one by the same name. `cohort_keys` are open hash and record by
-- turns; `coming` is for each cohort: id, mark, head, views, size of each group, number of ballots, then view, id, ballot
-- of each.
if content ~= '' then
  local kept = redis.call('GET', ticket)
  if kept then return {'known', kept} end
  if redis.call('EXISTS', batch) == 1 then return {'reused'} end
end
local run = redis.call('HMGET', settings, 'revision', 'followed')
if (run[1] or '0') ~= revision then return {'stale'} end
if redis.call('XLEN', jobs) >= most_jobs then return {'full'} end

local cohorts, at, opening = {}, 1, 0
for k = 1, #cohort_keys, 2 do
  local cohort = {key = cohort_keys[k], record_key = cohort_keys[k + 1], ballots = {}, id = coming[at],
    mark = coming[at + 1], head = coming[at + 2], views = coming[at + 3], size = tonumber(coming[at + 4])}
  cohort.record = redis.call('GET', cohort.record_key)
  local exists = redis.call('EXISTS', cohort.key) == 1
  local arriving, settled = {}, cohort.record and read_record(cohort.record)
  cohort.settled = settled
  if not exists and not cohort.record then opening = opening + 1 end
  for b = 1, tonumber(coming[at + 5]) do
    local p = at + 3 + 3 * b
    local ballot = {view = coming[p], id = coming[p + 1], value = coming[p + 2]}
    local known = exists and find(cohort.key, ballot.id)
    if known and known ~= ballot.value then return {'conflict', cohort.id, ballot.id} end
    local rewarded = not known and settled and settled.ballots[ballot.id]
    -- The label it was rewarded under stands, so the answer must be the one that was sent.
    if rewarded and rewarded[4] ~= cmsgpack.unpack(ballot.value)[4] then return {'conflict', cohort.id, ballot.id} end
    if not known and not rewarded then
      cohort.ballots[#cohort.ballots + 1] = ballot
      arriving[ballot.view] = (arriving[ballot.view] or 0) + 1
    end
  end
  -- A group that has closed takes what it still lacks, and no more.
  for view, count in pairs(arriving) do
    local counts = redis.call('HMGET', cohort.key, 'n:' .. view, 'c:' .. view, 'a:' .. view)
    local needed, cast = tonumber(counts[1] or cohort.size), tonumber(counts[2] or '0') + tonumber(counts[3] or '0')
    if settled then needed, cast = settled.sizes[view] or needed, cast + (settled.cast[view] or 0) end
    if cast + count > needed then return {'overfull', cohort.id, view} end
  end
  cohorts[#cohorts + 1] = cohort
  at = at + 6 + 3 * tonumber(coming[at + 5])
end
if opening > 0 and redis.call('ZCARD', deadlines) + waiting_for_peers(run[2], peer_waits) + opening > most_open then
  return {'full'}
end

local answers = {'ok'}
for _, cohort in ipairs(cohorts) do
  if redis.call('EXISTS', cohort.key) == 0 and (#cohort.ballots > 0 or not cohort.record) then
    if cohort.record then
      reopen_for_late(cohort.key, jobs, cohort.id, cohort.settled, cohort.head, ttl_ms)
      redis.call('PEXPIRE', cohort.record_key, ttl_ms) -- what comes late is rewarded by it
    else
      open(cohort.key, deadlines, cohort.id, cohort.head, cohort.views, patience_ms, ttl_ms)
      note(lists_of_now(lists, period_ms), cohort.mark, cohort.id, period_ms + ttl_ms)
      for view in cohort.views:gmatch('.') do redis.call('HSET', cohort.key, 'n:' .. view, cohort.size) end
    end
  end
  for _, ballot in ipairs(cohort.ballots) do add(cohort.key, ballot.view, ballot.id, ballot.value) end
  if redis.call('EXISTS', cohort.key) == 1 then
    redis.call('HSET', cohort.key, 'w:' .. replica, 1)
    close_if_complete(cohort.key, jobs, deadlines, cohort.id, ttl_ms, is_followed(run[2]))
  end
  answers[#answers + 1] = cohort.record or ''
end
if content ~= '' then redis.call('SET', ticket, content, 'PX', ttl_ms) end
return answers
