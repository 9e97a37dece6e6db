-- Self-contained batches end: whoever settles one first decides. `ended` is for each: record, job, full name, replicas that
-- wait (one a line), how many of its cohorts are settled, how many abstained, name, traces (labels, sums), how many marks,
-- and what each of its cohorts is found by.
-- Answers 'settled' or 'known' of each, or the error that keeps one from ending: the others end.
local lists_now
local entries, answers_B = {}, {}
local settled_now, abstained_now, at = 0, 0, 1
-- By key, since two jobs may be of one batch. MGET takes what is no string for nothing: its batch ends all the same.
local known_of = {}
for place, known in ipairs(redis.call('MGET', unpack(batches))) do known_of[batches[place]] = known end

local function ends(batch, at)
  local record, entry, qualified_name, replicas, settled, abstained, name, noted, sums, marks = unpack(ended, at, at + 9)
  local known = known_of[batch]
  local first = not known or known:sub(1, 1) == 'P'
  if first then
    -- First what may fail for what is stored: an error leaves the batch as it was.
    note_traces(history, orders, series, steps, answers, waiting_sums, noted, sums, most_questions, run_ttl_ms)
    known = 'S' .. (known and known:sub(2, 33) or string.rep('0', 32)) .. record
    redis.call('SET', batch, known, 'PX', ttl_ms)
    known_of[batch] = known
    settled_now, abstained_now = settled_now + settled, abstained_now + abstained
    lists_now = lists_now or lists_of_now(lists, ttl_ms)
    for k = 0, marks - 1 do note(lists_now, ended[at + 10 + k], name .. '.' .. k, 2 * ttl_ms) end
  end
  entries[#entries + 1] = entry
  for replica in replicas:gmatch('[^\n]+') do tell(replica, qualified_name, known) end
  return first and 'settled' or 'known'
end

for place, batch in ipairs(batches) do
  local whole, answer = pcall(ends, batch, at)
  answers_B[place] = whole and answer or 'error ' .. (type(answer) == 'table' and answer.err or tostring(answer))
  at = at + 10 + ended[at + 9]
end

if settled_now > 0 then redis.call('HINCRBY', stats, 'settled', settled_now) end
if abstained_now > 0 then redis.call('HINCRBY', stats, 'abstained', abstained_now) end
if #entries > 0 then
  redis.call('PEXPIRE', stats, ttl_ms)
  redis.call('XACK', jobs, group, unpack(entries))
  redis.call('XDEL', jobs, unpack(entries))
end
return answers_B
