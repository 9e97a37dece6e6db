-- Requests without identity end: answered (a place is gone) or abandoned (it is free for its request to come again).
-- KEYS rounds, texts   ARGV request, "answered" or "abandoned" of each; to a question with steps a text that comes
-- again belongs to the same rollout, so its place stays free after the answer too.
for k = 1, #ARGV, 2 do
  local place = redis.call('HGET', KEYS[1], 'h:' .. ARGV[k])
  if place then
    redis.call('HDEL', KEYS[1], 'h:' .. ARGV[k])
    if ARGV[k + 1] == 'abandoned' and redis.call('ZSCORE', KEYS[2], place) then
      local digest, round, _, twin = parts_of(place)
      redis.call('ZADD', KEYS[2], 0, place_named(digest, round, ABANDONED, twin, ''))
    end
    redis.call('ZREM', KEYS[2], place)
  end
end
return 1
