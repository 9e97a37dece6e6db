-- The ballots that a run has for others of one view of a question, in a step ('' without one): those of the whole group;
-- else, if the run has gone on to a later step or if nothing more is waited for (`final`), of the newest step that lies at
-- most `lag` before; else, if nothing more is waited for, those that are there of the group.
-- Answers 1 and the ballots, or 0 where there are none yet: `waiter`, if one is named, is told when they come.
local function ballots_in(key)
  local found, all = {}, redis.call('HGETALL', key)
  for k = 1, #all, 2 do
    if all[k]:sub(1, 2) == 'b:' then found[#found + 1] = all[k + 1] end
  end
  return found
end
if redis.call('HEXISTS', group, 's') == 1 then return {1, ballots_in(group)} end
local now = tonumber(step)
if now and lag > 0 and (final == 1 or tonumber(redis.call('HGET', standing, 'step') or '-1') > now) then
  local from, to = string.format('%d', now - lag), string.format('(%d', now)
  for _, earlier in ipairs(redis.call('ZREVRANGEBYSCORE', steps, to, from)) do
    local found = ballots_in(groups .. earlier)
    if #found > 0 then return {1, found} end
  end
end
if final == 1 then
  local found = ballots_in(group)
  return {#found > 0 and 1 or 0, found}
end
if waiter ~= '' then
  redis.call('HSET', group, 'w:' .. waiter, 1)
  redis.call('PEXPIRE', group, ttl_ms)
  if now and lag > 0 then
    redis.call('ZADD', lagging, step, waiter)
    redis.call('PEXPIRE', lagging, ttl_ms)
  end
end
return {0, {}}
