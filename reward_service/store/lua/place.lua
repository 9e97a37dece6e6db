-- One rollout without an identity finds its place: the place it left, or a new one in the round that waits for it.
-- KEYS places, jobs, deadlines, settings
-- ARGV revision, most jobs, most open, patience_ms, ttl_ms, replica, prefix, question,
--      text digest, view, views, group size, head, ballot, request
local places, jobs, deadlines = KEYS[1], KEYS[2], KEYS[3]
local patience_ms, ttl_ms, replica, prefix, question = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7], ARGV[8]
local digest, view, views, size = ARGV[9], ARGV[10], ARGV[11], tonumber(ARGV[12])
if (redis.call('HGET', KEYS[4], 'revision') or '0') ~= ARGV[1] then return {'stale'} end

local function cohort_of(round) return question .. '-' .. round end
local function hash_of(round) return prefix .. 'c:' .. cohort_of(round) end
local function record_of(round) return prefix .. 'r:' .. cohort_of(round) end
local function alive(owner) return redis.call('PUBSUB', 'NUMSUB', owner)[2] > 0 end

-- Those who wait with this very text. A place is free when its request was abandoned, when the replica that held the
-- request is gone, or when the group is whole all the same: then this can only be the same rollout again.
local noted = redis.call('HMGET', places, 'p:' .. digest, 'r:' .. view)
local waiting = noted[1]
waiting = waiting and cmsgpack.unpack(waiting) or {}
for _, place in ipairs(waiting) do
  local key = hash_of(place.round)
  local there = redis.call('EXISTS', key) == 1
  local record = redis.call('GET', record_of(place.round))
  local whole = record or (there and tonumber(redis.call('HGET', key, 'c:' .. view) or '0')
    >= tonumber(redis.call('HGET', key, 'n:' .. view) or '0'))
  if (there or record) and (place.abandoned or whole or not alive(place.replica)) then
    place.replica, place.request, place.abandoned = replica, ARGV[15], false
    redis.call('HSET', places, 'p:' .. digest, cmsgpack.pack(waiting))
    if there then redis.call('HSET', key, 'w:' .. replica, 1) end
    return {'ok', cohort_of(place.round), place.id, record or ''}
  end
end

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
return {'ok', cohort_of(round), id, ''}
