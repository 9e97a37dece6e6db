-- A self-contained batch: remembered as pending and queued, once.
-- `ticket` is of a part by the same name, `cast` what the job says where ballots are kept for peers.
local known = redis.call('GET', batch)
if known then return {'known', known} end
if redis.call('EXISTS', ticket) == 1 then return {'reused'} end
local run = redis.call('HMGET', settings, 'revision', 'followed')
if (run[1] or '0') ~= revision then return {'stale'} end
if redis.call('XLEN', jobs) >= most_jobs or waiting_for_peers(run[2], peer_waits) >= most_waiting then
  return {'full'}
end
redis.call('SET', batch, 'P' .. fingerprint .. rollouts, 'PX', ttl_ms)
enqueue(jobs, ttl_ms, 'b', name, 'p', payload, 'w', replica, unpack(is_followed(run[2]) and {'f', cast} or {}))
return {'new'}
