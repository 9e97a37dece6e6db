-- A self-contained batch: remembered as pending and queued, once.
-- `ticket` is of a part by the same name.
local known = redis.call('GET', batch)
if known then return {'known', known} end
if redis.call('EXISTS', ticket) == 1 then return {'reused'} end
if (redis.call('HGET', settings, 'revision') or '0') ~= revision then return {'stale'} end
if redis.call('XLEN', jobs) >= most_jobs then return {'full'} end
redis.call('SET', batch, 'P' .. fingerprint .. rollouts, 'PX', ttl_ms)
enqueue(jobs, ttl_ms, 'b', name, 'p', payload, 'w', replica)
return {'new'}
