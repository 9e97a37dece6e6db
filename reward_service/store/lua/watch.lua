-- Someone else waits too: the records of settled cohorts, and a note in the others on whom to wake.
-- KEYS open hash and record of each cohort   ARGV channel
local records = {}
for k = 1, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[k]) == 1 then redis.call('HSET', KEYS[k], 'w:' .. ARGV[1], 1) end
  records[#records + 1] = redis.call('GET', KEYS[k + 1]) or ''
end
return records
