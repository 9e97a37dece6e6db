-- The end of a cohort: its record is kept if the cohort is still as the worker saw it, and those who wait are told.
local function done()
  if redis.call('XACK', jobs, group, entry) > 0 then redis.call('XDEL', jobs, entry) end -- see acknowledge.lua
end
local state = redis.call('HGET', cohort, 's')
if not state then
  done()
  return 'gone'
end
local settled = redis.call('EXISTS', kept) == 1
local to = NEXT[state .. ':' .. event]
if state ~= seen_state or redis.call('HGET', cohort, 'k') ~= tostring(seen_size) or not to
  or settled ~= (event == 'late') then return 'changed' end
local waiting = {}
for _, field in ipairs(redis.call('HKEYS', cohort)) do
  if field:sub(1, 2) == 'w:' then waiting[#waiting + 1] = field:sub(3) end
end
redis.call('SET', kept, record, 'PX', ttl_ms)
redis.call('DEL', cohort)
if not settled then
  redis.call('HINCRBY', stats, to, 1)
  redis.call('PEXPIRE', stats, ttl_ms)
  note_traces(history, orders, series, steps, answers, waiting_sums, noted, sums, most_questions, run_ttl_ms)
end
done()
for _, replica in ipairs(waiting) do tell(replica, qualified_name, record) end
return 'settled'
