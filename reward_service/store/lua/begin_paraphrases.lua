-- A job begins to come in, unless it is there already or too many are unfinished.
-- Answers 'filling', 'known', 'conflict' or 'full'.
local known = redis.call('HMGET', key('j', job), 'f', 's')
if known[1] then
  if known[1] ~= fingerprint then return 'conflict' end
  if known[2] ~= 'filling' then touch(job) end
  return known[2] == 'filling' and 'filling' or 'known'
end
if redis.call('ZCARD', OPEN) >= most_open then reclaim() end -- it may hold some that have expired
if redis.call('ZCARD', OPEN) >= most_open then return 'full' end
redis.call('HSET', key('j', job), 's', 'filling', 'f', fingerprint, 'w', order, 'i', urgent, 'l', ttl_ms,
  'of', 0, 'n', 0, 'd', 0, 'c', server_ms())
redis.call('PEXPIRE', key('j', job), filling_ms)
return 'filling'
