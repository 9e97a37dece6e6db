-- Ballots of a run's policy on one view of a question, for the runs that it votes for: kept once. A higher attempt
-- replaces a lower one. `whole` is 1 where no more will come; else the group is whole with `size` ballots. Without a step
-- the next group has the same name, and replaces the one before. `ballots` is for each: id, ballot.
-- `alive` is 1 where the run casts them now, and is absent for nobody; 0 where they were found among its records.
-- Answers who waits for this group, if it is whole, and who would take ballots of a step before those of this run's newest.
local MOST_STEPS = 64
local held = redis.call('HMGET', group, 'a', 's')
local before = tonumber(held[1] or '-1')
local anew = attempt > before
if held[2] and step == '' and not anew then
  for k = 1, #ballots, 2 do
    if redis.call('HGET', group, 'b:' .. ballots[k]) ~= ballots[k + 1] then anew = true end
  end
end
local function count(drop)
  local found = 0
  for _, field in ipairs(redis.call('HKEYS', group)) do
    if field:sub(1, 2) == 'b:' then
      found = found + 1
      if drop then redis.call('HDEL', group, field) end
    end
  end
  return found
end
if anew or (attempt == before and not held[2]) then
  if anew then
    count(true)
    redis.call('HDEL', group, 's')
  end
  for k = 1, #ballots, 2 do redis.call('HSETNX', group, 'b:' .. ballots[k], ballots[k + 1]) end
  redis.call('HSET', group, 'a', attempt)
  if whole == 1 or count(false) >= size then
    redis.call('HSET', group, 's', 1)
    if step ~= '' then
      redis.call('ZADD', steps, step, step)
      redis.call('ZREMRANGEBYRANK', steps, 0, -MOST_STEPS - 1)
      redis.call('PEXPIRE', steps, ttl_ms)
    end
  end
  redis.call('PEXPIRE', group, ttl_ms)
end
if alive == 1 then
  redis.call('DEL', missing)
  if step ~= '' then redis.call('HSETNX', standing, 'first', step) end
end
if step ~= '' and tonumber(step) > tonumber(redis.call('HGET', standing, 'step') or '-1') then
  redis.call('HSET', standing, 'step', step)
  redis.call('PEXPIRE', standing, ttl_ms)
end
local waiting = {}
if redis.call('HEXISTS', group, 's') == 1 then
  for _, field in ipairs(redis.call('HKEYS', group)) do
    if field:sub(1, 2) == 'w:' then waiting[#waiting + 1] = field:sub(3) end
  end
end
local newest = redis.call('HGET', standing, 'step')
return {waiting, newest and redis.call('ZRANGEBYSCORE', lagging, '-inf', '(' .. newest) or {}}
