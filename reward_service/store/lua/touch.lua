-- A run is in use: it is listed for the workers, and what is kept of it keeps its time.
if redis.call('EXISTS', settings) == 1 then redis.call('PEXPIRE', settings, ttl_ms) end
return {redis.call('HGET', settings, 'revision') or '0', redis.call('HGET', settings, 'settings') or ''}
