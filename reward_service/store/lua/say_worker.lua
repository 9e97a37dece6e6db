-- A worker is there.
-- KEYS workers, clock   ARGV worker, for how long it counts as seen lately (ms)
local now = tick()
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], CLOCK_TTL_MS)
