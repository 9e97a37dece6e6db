-- The ballots of a run are kept for others, or it waits for others': for a while, unless that is said again.
redis.call('HSET', settings, 'followed', string.format('%d', server_ms() + ttl_ms))
if redis.call('PTTL', settings) < ttl_ms then redis.call('PEXPIRE', settings, ttl_ms) end
