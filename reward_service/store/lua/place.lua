-- One rollout without an identity finds its place: the place it left, or a new one in the round that waits for it.
-- KEYS places, jobs, deadlines, settings
-- ARGV revision, most jobs, most open, patience_ms, ttl_ms, replica, prefix, question,
--      text digest, view, views, group size, head, ballot, request, heartbeat_ms
local places, jobs, deadlines = KEYS[1], KEYS[2], KEYS[3]
local patience_ms, ttl_ms, replica, prefix, question = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7], ARGV[8]
local digest, view, views, size = ARGV[9], ARGV[10], ARGV[11], tonumber(ARGV[12])
if (redis.call('HGET', KEYS[4], 'revision') or '0') ~= ARGV[1] then return {'stale'} end

local function cohort_of(round) return question .. '-' .. round end
local function hash_of(round) return prefix .. 'c:' .. cohort_of(round) end
local function record_of(round) return prefix .. 'r:' .. cohort_of(round) end

-- A settled cohort gives its rewards again to a rollout that comes again at once. Later the same text is another rollout
-- (the next epoch's), even where nobody could note that the first was answered.
local COME_AGAIN_MS = 60000
local function lately(round)
  return redis.call('PTTL', record_of(round)) > ttl_ms - patience_ms - COME_AGAIN_MS
end

-- Whether the replica behind a channel lives: yes, no, or nil while it cannot be told. One that is killed loses its
-- subscription at once; but so does one whose connection broke, or whose Redis has just restarted, and these come back.
local function lives(owner)
  if redis.call('PUBSUB', 'NUMSUB', owner)[2] > 0 then return true end
  if redis.call('EXISTS', prefix .. 'alive:' .. owner) == 1 then return nil end
  local up_s = tonumber(redis.call('INFO', 'server'):match('uptime_in_seconds:(%d+)'))
  if up_s < 5 then return nil end
  return false
end

-- Those who wait with this very text. A place is this request's own (its command is repeated), or free: when its request
-- was abandoned, when the replica that held it is gone, or when the group is whole all the same, since then this can
-- only be the same rollout again.
local noted = redis.call('HMGET', places, 'p:' .. digest, 'r:' .. view)
local waiting = noted[1]
waiting = waiting and cmsgpack.unpack(waiting) or {}
local own = {}
for _, place in ipairs(waiting) do
  if place.request == ARGV[15] then own = {place} end
end
local unsure = false
for _, place in ipairs(#own > 0 and own or waiting) do
  local key = hash_of(place.round)
  local there = redis.call('EXISTS', key) == 1
  local record = redis.call('GET', record_of(place.round))
  if record and not lately(place.round) then there, record = false, false end
  local whole = record or (there and tonumber(redis.call('HGET', key, 'c:' .. view) or '0')
    >= tonumber(redis.call('HGET', key, 'n:' .. view) or '0'))
  local free = #own > 0 or place.abandoned or whole
  if not free then
    local living = lives(place.replica)
    free, unsure = living == false, unsure or living == nil
  end
  if (there or record) and free then
    place.replica, place.request, place.abandoned = replica, ARGV[15], false
    redis.call('HSET', places, 'p:' .. digest, cmsgpack.pack(waiting))
    redis.call('SET', prefix .. 'alive:' .. replica, 1, 'PX', ARGV[16])
    if there then redis.call('HSET', key, 'w:' .. replica, 1) end
    return {'ok', cohort_of(place.round), place.id, record or ''}
  end
end

if unsure then return {'unsure'} end
if redis.call('XLEN', jobs) >= tonumber(ARGV[2]) then return {'full'} end
local round = tonumber(noted[2] or '1')
while true do
  local key = hash_of(round)
  local known = redis.call('HMGET', key, 's', 'n:' .. view, 'c:' .. view)
  if known[1] then
    local needed, cast = tonumber(known[2] or size), tonumber(known[3] or '0')
    if known[1] == 'open' and cast < needed then break end
  elseif redis.call('EXISTS', record_of(round)) == 0 then
    if redis.call('ZCARD', deadlines) >= tonumber(ARGV[3]) then return {'full'} end
    open(key, deadlines, cohort_of(round), ARGV[13], views, patience_ms, ttl_ms)
    break
  end
  round = round + 1
end

local key, twin = hash_of(round), 0
while find(key, digest .. '.' .. twin) do twin = twin + 1 end
local id = digest .. '.' .. twin
redis.call('HSETNX', key, 'n:' .. view, size)
redis.call('HSET', key, 'w:' .. replica, 1)
add(key, view, id, ARGV[14])
close_if_complete(key, jobs, deadlines, cohort_of(round), ttl_ms)
waiting[#waiting + 1] = {round = round, id = id, replica = replica, request = ARGV[15], abandoned = false}
redis.call('HSET', places, 'r:' .. view, round, 'p:' .. digest, cmsgpack.pack(waiting))
redis.call('PEXPIRE', places, ttl_ms)
redis.call('SET', prefix .. 'alive:' .. replica, 1, 'PX', ARGV[16])
return {'ok', cohort_of(round), id, ''}
