-- Ballots that a cohort or batch waits for are there: with the last of them it goes on. `came` is 'peer slot' of each.
-- Answers whether it goes on now.
if redis.call('EXISTS', awaiting) == 0 then return 0 end
for _, pair in ipairs(came) do
  if redis.call('HDEL', awaiting, 'x:' .. pair) == 1 then
    one_less(awaited, pair)
    redis.call('HINCRBY', awaiting, 'm', -1)
  end
end
if tonumber(redis.call('HGET', awaiting, 'm')) > 0 then return 0 end
let_go(awaiting, jobs, waits, awaited, name, ttl_ms, 'r')
return 1
