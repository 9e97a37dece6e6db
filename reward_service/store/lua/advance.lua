-- The average has taken the update to a version, and all before it.
-- KEYS teacher, updates   ARGV version, alpha, ttl_ms
if tonumber(redis.call('HGET', KEYS[1], 'version') or '-1') < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'version', ARGV[1], 'alpha', ARGV[2])
  redis.call('HDEL', KEYS[1], 'refused')
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
