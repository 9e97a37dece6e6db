-- Shared by the scripts below: one cohort's hash, and the transition table, rendered from the domain's.
--   s state, m head, k number of ballots, v views waited for ("o", "p" or "op"),
--   n:<view> ballots needed, c:<view> ballots cast, a:<view> those that came late since, b:<id> a ballot, l:<id> a late one,
--   w:<channel> who waits
local NEXT = {--TRANSITIONS--}

local ALIVE_TTL_MS = 24 * 3600 * 1000

local function advance(key, state, event)
  local to = NEXT[state .. ':' .. event]
  if to and to ~= state then redis.call('HSET', key, 's', to) end
  return to
end

-- A cohort can be found by its question: its name stands in one of 256 lists of this time, which ends with what it names.
-- `mark` begins with a digest of the question; lists of other times, and their ends, are those of find.lua.
local function lists_of_now(lists, period_ms)
  return lists .. math.floor(server_ms() / period_ms) .. ':'
end

local function note(lists_now, mark, cohort, lives_ms)
  if mark == '' then return end
  local list = lists_now .. mark:byte()
  if redis.call('RPUSH', list, mark .. cohort) == 1 then redis.call('PEXPIRE', list, lives_ms) end
end

local function open(key, deadlines, cohort, head, views, patience_ms, ttl_ms)
  redis.call('HSET', key, 's', 'open', 'm', head, 'k', 0, 'v', views)
  redis.call('PEXPIRE', key, ttl_ms)
  redis.call('ZADD', deadlines, now_ms() + patience_ms, cohort)
  redis.call('PEXPIRE', deadlines, ttl_ms)
end

-- A replica holds rollouts of the run.
local function say_alive(key)
  redis.call('SET', key, string.format('%d', now_ms()), 'PX', ALIVE_TTL_MS)
end

local function complete(key, views)
  for view in views:gmatch('.') do
    local counts = redis.call('HMGET', key, 'n:' .. view, 'c:' .. view)
    local needed, cast = tonumber(counts[1] or nil), tonumber(counts[2] or '0')
    if not needed or cast < needed then return false end
  end
  return true
end

-- Adds one ballot that is not there yet; a cohort that has closed takes it as a late one.
local function add(key, view, id, ballot)
  local state = redis.call('HGET', key, 's')
  redis.call('HINCRBY', key, 'k', 1)
  if state == 'open' then
    redis.call('HSET', key, 'b:' .. id, ballot)
    redis.call('HINCRBY', key, 'c:' .. view, 1)
  else
    redis.call('HSET', key, 'l:' .. id, ballot)
    redis.call('HINCRBY', key, 'a:' .. view, 1)
    advance(key, state, 'late')
  end
end

local function find(key, id)
  local found = redis.call('HMGET', key, 'b:' .. id, 'l:' .. id)
  return found[1] or found[2]
end

-- Closes an open cohort whose groups are whole, and queues it. Where ballots are kept for peers, the job says so ('f'), and
-- until when the cohort may wait for others' ('d').
local function close_if_complete(key, jobs, deadlines, cohort, ttl_ms, followed)
  local known = redis.call('HMGET', key, 's', 'v')
  if known[1] == 'open' and complete(key, known[2]) then
    advance(key, 'open', 'quorum')
    local said = followed and {'f', '0', 'd', redis.call('ZSCORE', deadlines, cohort) or ''} or {}
    redis.call('ZREM', deadlines, cohort)
    enqueue(jobs, ttl_ms, 'c', cohort, unpack(said))
  end
end

-- A settled cohort's record, read once for all that is asked of it: its state, how many ballots it has, of each view too,
-- and each by its id; the sizes of its groups. Reading one costs as much as the cohort is large.
local function read_record(record)
  local kept = cmsgpack.unpack(record)
  local settled = {state = kept[1], size = #kept[2], cast = {}, ballots = {}, sizes = kept[13] or {}}
  for place, id in ipairs(kept[2]) do
    local ballot = kept[4][place]
    local view = ('op'):sub(ballot[1] + 1, ballot[1] + 1)
    settled.ballots[id] = ballot
    settled.cast[view] = (settled.cast[view] or 0) + 1
  end
  return settled
end

-- A settled cohort opens its hash again for ballots that come late, and is queued once for them. It goes on counting where
-- its record ends: a worker that still holds what came late before must see that others came since.
local function reopen_for_late(key, jobs, cohort, settled, head, ttl_ms)
  redis.call('HSET', key, 's', settled.state, 'm', head, 'k', settled.size)
  redis.call('PEXPIRE', key, ttl_ms)
  enqueue(jobs, ttl_ms, 'c', cohort)
end

-- Whoever waits is told what was stored; of what is large its name only, and he reads it: all that one subscriber has not
-- read yet stands in the server's memory, and beyond a limit he is cut off.
local TOLD_AT_MOST = 256 * 1024

local function tell(replica, name, stored)
  redis.call('PUBLISH', replica, name .. '\n' .. (#stored <= TOLD_AT_MOST and stored or ''))
end
