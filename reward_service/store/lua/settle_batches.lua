-- Self-contained batches end, all of them: whoever settles one first decides. `ended` is for each: record, job, full name,
-- replicas that wait (one a line), name, how many marks, and what each of its cohorts is found by. `settled`, `abstained`
-- and the traces (`noted`, `sums`) are of all together.
-- Answers 'settled', or 'known' of one that was settled before. Of several nothing is done where one was, or where one comes
-- twice: the answer is 'apart', and each is to be sent by itself.
local known_of, seen, is_known = redis.call('MGET', unpack(batches)), {}, false
for place, batch in ipairs(batches) do
  local known = known_of[place] -- not what is no string: it is written over
  is_known = is_known or seen[batch] or known and known:sub(1, 1) ~= 'P'
  seen[batch] = true
end
if is_known and #batches > 1 then return 'apart' end

local lists_now
if not is_known then
  -- First what may fail for what is stored: an error leaves the batches as they were.
  note_traces(history, orders, series, steps, answers, waiting_sums, noted, sums, most_questions, run_ttl_ms)
  if settled > 0 then redis.call('HINCRBY', stats, 'settled', settled) end
  if abstained > 0 then redis.call('HINCRBY', stats, 'abstained', abstained) end
  redis.call('PEXPIRE', stats, ttl_ms)
  lists_now = lists_of_now(lists, ttl_ms)
end

local entries, names, at = {}, {}, 1
for place, batch in ipairs(batches) do
  local record, entry, qualified_name, replicas, name, marks = unpack(ended, at, at + 5)
  local known = known_of[place]
  if not is_known then
    known = 'S' .. (known and known:sub(2, 33) or string.rep('0', 32)) .. record
    redis.call('SET', batch, known, 'PX', ttl_ms)
    for k = 0, marks - 1 do note(lists_now, ended[at + 6 + k], name .. '.' .. k, 2 * ttl_ms) end
  end
  entries[place], names[place] = entry, name
  for replica in replicas:gmatch('[^\n]+') do tell(replica, qualified_name, known) end
  at = at + 6 + marks
end
if redis.call('XACK', jobs, group, unpack(entries)) == #entries then
  redis.call('XDEL', jobs, unpack(entries))
else -- see acknowledge.lua
  for place, entry in ipairs(entries) do
    local found = redis.call('XRANGE', jobs, entry, entry)[1]
    if found and found[2][1] == 'b' and found[2][2] == names[place] then redis.call('XDEL', jobs, entry) end
  end
end
return is_known and 'known' or 'settled'
