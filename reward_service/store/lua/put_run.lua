-- New settings get a new revision; the same settings keep theirs.
if redis.call('HGET', settings, 'settings') ~= text then
  redis.call('HSET', settings, 'settings', text)
  redis.call('HINCRBY', settings, 'revision', 1)
end
redis.call('PEXPIRE', settings, ttl_ms)
return redis.call('HGET', settings, 'revision')
