-- Consumers that have nothing in hand and have asked for nothing for long are dropped.
for _, about in ipairs(redis.call('XINFO', 'CONSUMERS', jobs, group)) do
  local known = {}
  for k = 1, #about, 2 do known[about[k]] = about[k + 1] end
  if known.pending == 0 and known.idle > idle_ms then
    redis.call('XGROUP', 'DELCONSUMER', jobs, group, known.name)
  end
end
