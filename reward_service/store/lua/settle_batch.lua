-- The end of a self-contained batch: whoever settles it first decides.
-- KEYS batch, jobs, stats
-- ARGV record, ttl_ms, entry, group, qualified id, replicas in lines, settled, abstained, id, lists to find cohorts by,
--      then the mark of each cohort
local known = redis.call('GET', KEYS[1])
local first = not known or known:sub(1, 1) == 'P'
if first then
  known = 'S' .. (known and known:sub(2, 33) or string.rep('0', 32)) .. ARGV[1]
  redis.call('SET', KEYS[1], known, 'PX', ARGV[2])
  redis.call('HINCRBY', KEYS[3], 'settled', ARGV[7])
  redis.call('HINCRBY', KEYS[3], 'abstained', ARGV[8])
  redis.call('PEXPIRE', KEYS[3], ARGV[2])
  local period_ms = tonumber(ARGV[2])
  local lists_now = lists_of_now(ARGV[10], period_ms)
  for k = 11, #ARGV do note(lists_now, ARGV[k], ARGV[9] .. '.' .. k - 11, 2 * period_ms) end
end
redis.call('XACK', KEYS[2], ARGV[4], ARGV[3])
redis.call('XDEL', KEYS[2], ARGV[3])
for replica in ARGV[6]:gmatch('[^\n]+') do tell(replica, ARGV[5], known) end
return first and 'settled' or 'known'
