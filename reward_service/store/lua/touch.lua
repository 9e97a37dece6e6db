-- A run is in use: it is listed for the workers, and what is kept of it keeps its time.
-- KEYS settings   ARGV ttl_ms
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {redis.call('HGET', KEYS[1], 'revision') or '0', redis.call('HGET', KEYS[1], 'settings') or ''}
