-- A teacher does not finish these: others may take them at once.
-- KEYS asks, taken   ARGV prefix, teacher, ttl_ms, then slots
for k = 4, #ARGV do
  local key = ARGV[1] .. 'l:' .. ARGV[k]
  if redis.call('HGET', key, 'o') == ARGV[2] and redis.call('ZREM', KEYS[2], ARGV[k]) == 1 then
    ask(KEYS[1], KEYS[2], key, ARGV[k], tonumber(ARGV[3]))
  end
end
return 1
