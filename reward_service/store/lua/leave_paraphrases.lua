-- A worker stops; what it still has may be taken by others at once.
-- KEYS prefix, clock   ARGV worker
redis.call('ZREM', WORKERS, ARGV[1])
redis.call('HDEL', SAID, ARGV[1])
return reclaim()
