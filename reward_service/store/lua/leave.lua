-- Requests without identity end: answered (a place is gone) or abandoned (it is free for its request to come again).
-- `leaving` is by turns a request, and "answered" or "abandoned"; to a question with steps a text that comes again
-- belongs to the same rollout, so its place stays free after the answer too.
for k = 1, #leaving, 2 do
  local place = redis.call('HGET', rounds, 'h:' .. leaving[k])
  if place then
    redis.call('HDEL', rounds, 'h:' .. leaving[k])
    if leaving[k + 1] == 'abandoned' and redis.call('ZSCORE', texts, place) then
      local digest, round, _, twin = parts_of(place)
      redis.call('ZADD', texts, 0, place_named(digest, round, ABANDONED, twin, ''))
    end
    redis.call('ZREM', texts, place)
  end
end
return 1
