-- Rollouts without an identity find their places: each the place it left, or a new one in the round that waits for it.
-- `coming` is for each: question, digest of its text, view, views, size of its group, head, ballot, request, mark. Each
-- gets an answer of its own, as if they had come one after the other.
local run = redis.call('HMGET', settings, 'revision', 'followed')
local stale = (run[1] or '0') ~= revision
local rounds, texts, question, digest, view, views, group_size, head, ballot, request, mark -- of the one whose turn it is

local function cohort_of(round) return question .. '-' .. round end
local function hash_of(round) return prefix .. 'c:' .. cohort_of(round) end
local function record_of(round) return prefix .. 'r:' .. cohort_of(round) end

-- A settled cohort gives its rewards again to a rollout that comes again at once. Later the same text is another rollout
-- (the next epoch's), even where nobody could note that the first was answered.
local COME_AGAIN_MS = 60000

-- How a round stands for a rollout that comes again: 'open', 'whole' (its group needs no more), 'settled', or nil for one
-- that is over.
local function standing(round)
  local kept_ms = redis.call('PTTL', record_of(round))
  if kept_ms ~= -2 then return kept_ms > ttl_ms - patience_ms - COME_AGAIN_MS and 'settled' or nil end
  local known = redis.call('HMGET', hash_of(round), 's', 'c:' .. view, 'n:' .. view)
  if not known[1] then return nil end
  return tonumber(known[2] or '0') >= tonumber(known[3] or '0') and 'whole' or 'open'
end

-- Whether the replica behind a channel lives: yes, no, or nil while it cannot be told. One that is killed loses its
-- subscription at once; but so does one whose connection broke, or whose Redis has just restarted, and these come back.
-- And a Redis that stood still has not noticed yet who died meanwhile: a subscription alone is no sign of life.
local function lives(owner)
  local said = redis.call('GET', prefix .. 'alive:' .. owner)
  local lately = said and now_ms() - said < heartbeat_ms
  -- The second is for nodes of a cluster, each of which counts its own: only one of them sends the messages.
  local heard = redis.call('PUBSUB', 'NUMSUB', owner, owner .. ':alive')
  if heard[2] + heard[4] > 0 then return lately or nil end
  if lately or up_s() < 5 then return nil end
  return false
end

-- From now on this request waits in a place.
local said, used = false, {}
local function hold(round, twin, ...)
  local place = place_named(digest, round, replica, twin, request)
  redis.call('ZADD', texts, 0, place)
  redis.call('HSET', rounds, 'h:' .. request, place, ...)
  used[texts], used[rounds] = true, true
  if not said then say_alive(prefix .. 'alive:' .. replica) end
  said = true
end

-- Gives a place to this request, whoever held it: the answer, or nil where the round does not know its ballot.
local function take(place, state)
  local _, round, _, twin, holder = parts_of(place)
  local id = digest .. '.' .. twin
  redis.call('ZREM', texts, place)
  if holder ~= '' then redis.call('HDEL', rounds, 'h:' .. holder) end
  if state ~= 'settled' then
    if not find(hash_of(round), id) then return nil end
    redis.call('HSET', hash_of(round), 'w:' .. replica, 1)
  end
  hold(round, twin)
  return {'ok', cohort_of(round), id, state == 'settled' and 1 or 0}
end

-- How many jobs are queued, where it has been asked for.
local queued

local function placed()
  -- This request's own place: its command is repeated.
  local noted = redis.call('HMGET', rounds, 'h:' .. request, 'r:' .. view, 'r:o', 'r:p')
  if noted[1] then
    local _, round = parts_of(noted[1])
    local state = standing(round)
    local answer = state and take(noted[1], state)
    if answer then return answer end
    redis.call('ZREM', texts, noted[1])
  end
  if stale then return {'stale'} end

  -- A place of this very text that is free: its request was abandoned, the replica that held it is gone, or the group is
  -- whole all the same, since then this can only be the same rollout again. The places of one round and one owner are
  -- alike in this, so one of them tells for all.
  local unsure = false
  local from, to = from_first(digest), to_last(digest)
  while true do
    local place = redis.call('ZRANGEBYLEX', texts, from, to, 'LIMIT', 0, 1)[1]
    if not place then break end
    local _, round, owner, twin = parts_of(place)
    local state = standing(round)
    local free = owner == ABANDONED or state ~= 'open'
    -- A place may outlive its cohort, and the next cohort of that number knows nothing of it: nobody is waited for then.
    if state == 'open' and not free and not find(hash_of(round), digest .. '.' .. twin) then
      free = true
    elseif state == 'open' and not free then
      local living = lives(owner)
      free, unsure = living == false, unsure or living == nil
    end
    if not state then
      redis.call('ZREMRANGEBYLEX', texts, from_first(digest, padded(round)), to_last(digest, padded(round)))
    elseif free then
      local answer = take(place, state)
      if answer then return answer end
    else
      from = to_last(digest, padded(round), owner)
    end
  end

  if unsure then return {'unsure'} end
  queued = queued or redis.call('XLEN', jobs)
  if queued >= most_jobs then return {'full'} end
  -- A round that was and is forgotten is not begun anew: places of its rollouts may outlive it.
  local round, newest = tonumber(noted[2] or '1'), math.max(tonumber(noted[3] or '0'), tonumber(noted[4] or '0'))
  -- The first of a text is number 0; for others the round counts them.
  local key, known, id, twin = nil, nil, digest .. '.0', 0
  while true do
    key = hash_of(round)
    known = redis.call('HMGET', key, 's', 'n:' .. view, 'c:' .. view, 'k', 'b:' .. id, 'l:' .. id)
    if known[1] then
      local needed, cast = tonumber(known[2] or group_size), tonumber(known[3] or '0')
      if known[1] == 'open' and cast < needed then break end
    elseif round > newest and redis.call('EXISTS', record_of(round)) == 0 then
      local waiting = waiting_for_peers(run[2], prefix .. 'peer-waits')
      if redis.call('ZCARD', deadlines) + waiting >= most_open then return {'full'} end
      open(key, deadlines, cohort_of(round), head, views, patience_ms, ttl_ms)
      note(lists_of_now(lists, period_ms), mark, cohort_of(round), period_ms + ttl_ms)
      known[4] = 0
      break
    end
    round = round + 1
  end
  if known[5] or known[6] then
    repeat
      twin = redis.call('HINCRBY', key, 't:' .. digest, 1)
      id = digest .. '.' .. twin
    until not find(key, id)
  end

  -- As `add` does, in one command.
  local size, cast = tonumber(known[2] or group_size), tonumber(known[3] or '0') + 1
  redis.call('HSET', key, 'b:' .. id, ballot, 'k', known[4] + 1, 'c:' .. view, cast, 'n:' .. view, size, 'w:' .. replica, '1')
  if cast >= size then
    close_if_complete(key, jobs, deadlines, cohort_of(round), ttl_ms, is_followed(run[2]))
    queued = nil
  end
  hold(round, twin, 'r:' .. view, round)
  return {'ok', cohort_of(round), id, 0}
end

local answers = {}
for k = 1, #coming, 9 do
  question, digest, view, views, group_size, head, ballot, request, mark = unpack(coming, k, k + 8)
  rounds, texts, group_size = prefix .. 'rounds:' .. question, prefix .. 'texts:' .. question, tonumber(group_size)
  answers[#answers + 1] = placed()
end
for key in pairs(used) do redis.call('PEXPIRE', key, ttl_ms) end
return answers
