-- A self-contained batch: remembered as pending and queued, once.
-- KEYS batch, jobs, settings, ticket of a part by the same name, clock
-- ARGV id, fingerprint, payload, revision, most jobs, ttl_ms, replica, rollouts
local known = redis.call('GET', KEYS[1])
if known then return {'known', known} end
if redis.call('EXISTS', KEYS[4]) == 1 then return {'reused'} end
if (redis.call('HGET', KEYS[3], 'revision') or '0') ~= ARGV[4] then return {'stale'} end
if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[5]) then return {'full'} end
redis.call('SET', KEYS[1], 'P' .. ARGV[2] .. ARGV[8], 'PX', ARGV[6])
enqueue(KEYS[2], ARGV[6], 'b', ARGV[1], 'p', ARGV[3], 'w', ARGV[7])
return {'new'}
