-- The average has taken the update to a version, and all before it.
if tonumber(redis.call('HGET', teacher, 'version') or '-1') < version then
  redis.call('HSET', teacher, 'version', version, 'alpha', alpha)
  redis.call('HDEL', teacher, 'refused')
end
redis.call('ZREMRANGEBYSCORE', updates, '-inf', version)
redis.call('PEXPIRE', teacher, ttl_ms)
return 1
