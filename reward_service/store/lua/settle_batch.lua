-- The end of a self-contained batch: whoever settles it first decides.
-- `marks` is what each of its cohorts is found by.
local known = redis.call('GET', batch)
local first = not known or known:sub(1, 1) == 'P'
if first then
  known = 'S' .. (known and known:sub(2, 33) or string.rep('0', 32)) .. record
  redis.call('SET', batch, known, 'PX', ttl_ms)
  if settled > 0 then redis.call('HINCRBY', stats, 'settled', settled) end
  if abstained > 0 then redis.call('HINCRBY', stats, 'abstained', abstained) end
  redis.call('PEXPIRE', stats, ttl_ms)
  local lists_now = lists_of_now(lists, ttl_ms)
  local apart = note_labels(history, orders, noted, most_questions, run_ttl_ms)
  add_signs(series, steps, answers, sums, apart, run_ttl_ms)
  for k, mark in ipairs(marks) do note(lists_now, mark, name .. '.' .. k - 1, 2 * ttl_ms) end
end
redis.call('XACK', jobs, group, entry)
redis.call('XDEL', jobs, entry)
for replica in replicas:gmatch('[^\n]+') do tell(replica, qualified_name, known) end
return first and 'settled' or 'known'
