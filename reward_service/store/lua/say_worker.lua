-- A worker is there. Those that have not said so lately, nor that they stop, are counted as lost.
local now = tick()
redis.call('ZADD', workers, now, worker)
local gone = redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - lately_ms)
if gone > 0 then redis.call('INCRBY', lost, gone) end
redis.call('PEXPIRE', workers, CLOCK_TTL_MS)
redis.call('PEXPIRE', lost, CLOCK_TTL_MS)
