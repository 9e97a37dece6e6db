-- The end of a cohort: its record is kept if the cohort is still as the worker saw it, and those who wait are told.
-- KEYS open hash, record, jobs, stats   ARGV state seen, size seen, event, record, ttl_ms, entry, group, qualified id
local entry, group = ARGV[6], ARGV[7]
local function done()
  redis.call('XACK', KEYS[3], group, entry)
  redis.call('XDEL', KEYS[3], entry)
end
local state = redis.call('HGET', KEYS[1], 's')
if not state then
  done()
  return 'gone'
end
local settled = redis.call('EXISTS', KEYS[2]) == 1
local to = NEXT[state .. ':' .. ARGV[3]]
if state ~= ARGV[1] or redis.call('HGET', KEYS[1], 'k') ~= ARGV[2] or not to
  or settled ~= (ARGV[3] == 'late') then return 'changed' end
local waiting = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field:sub(1, 2) == 'w:' then waiting[#waiting + 1] = field:sub(3) end
end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
redis.call('DEL', KEYS[1])
if not settled then
  redis.call('HINCRBY', KEYS[4], to, 1)
  redis.call('PEXPIRE', KEYS[4], ARGV[5])
end
done()
for _, replica in ipairs(waiting) do tell(replica, ARGV[8], ARGV[4]) end
return 'settled'
