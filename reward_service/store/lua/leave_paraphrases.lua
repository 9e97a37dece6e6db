-- A worker stops; what it still has may be taken by others at once.
redis.call('ZREM', WORKERS, worker)
redis.call('HDEL', SAID, worker)
return reclaim()
