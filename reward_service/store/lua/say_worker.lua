-- A worker is there.
local now = tick()
redis.call('ZADD', workers, now, worker)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - lately_ms)
redis.call('PEXPIRE', workers, CLOCK_TTL_MS)
