-- New settings get a new revision; the same settings keep theirs.
-- KEYS settings   ARGV settings, ttl_ms
if redis.call('HGET', KEYS[1], 'settings') ~= ARGV[1] then
  redis.call('HSET', KEYS[1], 'settings', ARGV[1])
  redis.call('HINCRBY', KEYS[1], 'revision', 1)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('HGET', KEYS[1], 'revision')
