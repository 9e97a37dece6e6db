-- A job begins to come in, unless it is there already or too many are unfinished.
-- KEYS prefix, clock   ARGV job, fingerprint, order, now?, ttl_ms, filling_ms, most_open
-- Answers 'filling', 'known', 'conflict' or 'full'.
local job = ARGV[1]
local known = redis.call('HMGET', key('j', job), 'f', 's')
if known[1] then
  if known[1] ~= ARGV[2] then return 'conflict' end
  if known[2] ~= 'filling' then touch(job) end
  return known[2] == 'filling' and 'filling' or 'known'
end
if redis.call('ZCARD', OPEN) >= tonumber(ARGV[7]) then reclaim() end -- it may hold some that have expired
if redis.call('ZCARD', OPEN) >= tonumber(ARGV[7]) then return 'full' end
redis.call('HSET', key('j', job), 's', 'filling', 'f', ARGV[2], 'w', ARGV[3], 'i', ARGV[4], 'l', ARGV[5],
  'of', 0, 'n', 0, 'd', 0, 'c', server_ms())
redis.call('PEXPIRE', key('j', job), ARGV[6])
return 'filling'
