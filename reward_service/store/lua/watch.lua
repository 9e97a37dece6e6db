-- Someone else waits too: the records of settled cohorts, and a note in the others on whom to wake; nothing of a cohort
-- that is kept no longer.
-- KEYS open hash and record of each cohort   ARGV channel
local records = {}
for k = 1, #KEYS, 2 do
  local open = redis.call('EXISTS', KEYS[k]) == 1
  if open then redis.call('HSET', KEYS[k], 'w:' .. ARGV[1], 1) end
  records[(k + 1) / 2] = redis.call('GET', KEYS[k + 1]) or (open and '')
end
return records
