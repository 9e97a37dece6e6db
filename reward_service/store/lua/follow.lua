-- The ballots of a run are kept for others, or it waits for others': for a while, unless that is said again. If the run was
-- there before, its records are searched for what it has cast until now, for as long as they are kept ('late').
local said = redis.call('HMGET', settings, 'followed', 'revision')
local until_ms = string.format('%d', server_ms() + ttl_ms)
if not is_followed(said[1]) and (said[2] or redis.call('EXISTS', stats) == 1) then
  redis.call('HSET', settings, 'late', until_ms)
  redis.call('HDEL', standing, 'first')
end
redis.call('HSET', settings, 'followed', until_ms)
if redis.call('PTTL', settings) < ttl_ms then redis.call('PEXPIRE', settings, ttl_ms) end
