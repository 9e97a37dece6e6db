-- Self-contained batches end: whoever settles one first decides. `ended` is for each: record, job, full name, replicas that
-- wait (one a line), how many of its cohorts are settled, how many abstained, name, traces (labels, sums), how many marks,
-- and what each of its cohorts is found by.
local lists_now
local entries, answers_B = {}, {}
local settled_now, abstained_now, at = 0, 0, 1
-- By key, since two jobs may be of one batch. MGET takes what is no string for nothing: as an error it would keep the
-- batches beside it from ending.
local known_of = {}
for place, known in ipairs(redis.call('MGET', unpack(batches))) do known_of[batches[place]] = known end

for place, batch in ipairs(batches) do
  local record, entry, qualified_name, replicas, settled, abstained, name, noted, sums, marks = unpack(ended, at, at + 9)
  at = at + 10
  local known = known_of[batch]
  local first = not known or known:sub(1, 1) == 'P'
  if first then
    known = 'S' .. (known and known:sub(2, 33) or string.rep('0', 32)) .. record
    redis.call('SET', batch, known, 'PX', ttl_ms)
    known_of[batch] = known
    settled_now, abstained_now = settled_now + settled, abstained_now + abstained
    local apart = note_labels(history, orders, noted, most_questions, run_ttl_ms)
    note_signs(series, steps, answers, waiting_sums, sums, run_ttl_ms)
    note_signs(series, steps, answers, waiting_sums, apart, run_ttl_ms)
    lists_now = lists_now or lists_of_now(lists, ttl_ms)
    for k = 0, marks - 1 do note(lists_now, ended[at + k], name .. '.' .. k, 2 * ttl_ms) end
  end
  at = at + marks
  entries[place] = entry
  answers_B[place] = first and 'settled' or 'known'
  for replica in replicas:gmatch('[^\n]+') do tell(replica, qualified_name, known) end
end

if settled_now > 0 then redis.call('HINCRBY', stats, 'settled', settled_now) end
if abstained_now > 0 then redis.call('HINCRBY', stats, 'abstained', abstained_now) end
redis.call('PEXPIRE', stats, ttl_ms)
redis.call('XACK', jobs, group, unpack(entries))
redis.call('XDEL', jobs, unpack(entries))
return answers_B
