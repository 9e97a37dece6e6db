-- Someone else waits too: the records of settled cohorts, and a note in the others on whom to wake; nothing of a cohort
-- that is kept no longer.
-- `cohort_keys` are open hash and record by turns.
local records = {}
for k = 1, #cohort_keys, 2 do
  local open = redis.call('EXISTS', cohort_keys[k]) == 1
  if open then redis.call('HSET', cohort_keys[k], 'w:' .. replica, 1) end
  records[(k + 1) / 2] = redis.call('GET', cohort_keys[k + 1]) or (open and '')
end
return records
