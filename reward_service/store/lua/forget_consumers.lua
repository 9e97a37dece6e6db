-- Consumers that have nothing in hand and have asked for nothing for long are dropped.
-- KEYS jobs   ARGV group, idle_ms
for _, about in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local known = {}
  for k = 1, #about, 2 do known[about[k]] = about[k + 1] end
  if known.pending == 0 and known.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], known.name)
  end
end
