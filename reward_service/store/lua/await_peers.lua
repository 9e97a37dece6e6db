-- A cohort or batch of a run waits for ballots of its peers, at most until `due_ms`. `name` is 'c' or 'b' with its name,
-- `subject` what is kept of it while it is not settled, `pairs` what it misses: 'peer slot' of each.
-- Answers what it still misses; nothing of one that waits no longer.
if name:sub(1, 1) == 'b' then
  if redis.call('GETRANGE', subject, 0, 0) ~= 'P' then return {} end
elseif redis.call('EXISTS', subject) == 0 then
  return {}
end
if redis.call('EXISTS', awaiting) == 1 then
  local missing = {}
  for _, field in ipairs(redis.call('HKEYS', awaiting)) do
    if field:sub(1, 2) == 'x:' then missing[#missing + 1] = field:sub(3) end
  end
  return missing
end
redis.call('HSET', awaiting, 'p', payload, 'w', replicas, 'm', #missed)
for _, pair in ipairs(missed) do
  redis.call('HSET', awaiting, 'x:' .. pair, 1)
  redis.call('HINCRBY', awaited, pair:match('^%S+'), 1)
end
redis.call('ZADD', waits, due_ms, name)
for _, key in ipairs({awaiting, awaited, waits}) do redis.call('PEXPIRE', key, ttl_ms) end
return missed
