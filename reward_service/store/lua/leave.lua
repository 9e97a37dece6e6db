-- Requests without identity end: answered (a place is gone) or abandoned (it is free for its request to come again).
-- `leaving` is by turns a request, and "answered" or "abandoned"; to a question with steps a text that comes again
-- belongs to the same rollout, so its place stays free after the answer too.
local fields, gone = {}, {}
for k = 1, #leaving, 2 do fields[#fields + 1] = 'h:' .. leaving[k] end
for n, place in ipairs(redis.call('HMGET', rounds, unpack(fields))) do
  if place then
    if leaving[2 * n] == 'abandoned' and redis.call('ZSCORE', texts, place) then
      local digest, round, _, twin = parts_of(place)
      redis.call('ZADD', texts, 0, place_named(digest, round, ABANDONED, twin, ''))
    end
    gone[#gone + 1] = place
  end
end
redis.call('HDEL', rounds, unpack(fields))
if #gone > 0 then redis.call('ZREM', texts, unpack(gone)) end
return 1
