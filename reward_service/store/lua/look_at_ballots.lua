-- The ballots that a run has for others of one view of a question, in a step ('' without one): those of the whole group;
-- else, if the run has gone on to a later step or if nothing more is waited for, of the newest step that lies at most `lag`
-- before; else, if nothing more is waited for, those that are there of the group.
-- Nothing more is waited for at the end (`final`), and of a run that `asker` takes as absent: it has waited in vain to the
-- end, and the run has cast no ballot for as long as `asker` waits for one (`patience_ms`).
-- Answers 1 and the ballots, 0 where there are none yet, or -1 where none are waited for; and whether the run's records may
-- hold some that were cast before another run named it. `waiter`, if one is named, is told when they come; it has waited for
-- `waited_ms`.
local ABSENT = 'absent'
local function ballots_in(key)
  local found, all = {}, redis.call('HGETALL', key)
  for k = 1, #all, 2 do
    if all[k]:sub(1, 2) == 'b:' then found[#found + 1] = all[k + 1] end
  end
  return found
end
if redis.call('HEXISTS', group, 's') == 1 then return {1, ballots_in(group), 0} end
local since = redis.call('HGET', missing, asker)
-- Not the last tenth: workers look now and then, and the clocks of two runs are not one.
if final == 1 and since and since ~= ABSENT and now_ms() - since >= 0.9 * patience_ms then
  since = ABSENT
  redis.call('HSET', missing, asker, since)
end
local no_more = final == 1 or since == ABSENT
local now, stands = tonumber(step), redis.call('HMGET', standing, 'step', 'first')
if now and lag > 0 and (no_more or tonumber(stands[1] or '-1') > now) then
  local from, to = string.format('%d', now - lag), string.format('(%d', now)
  for _, earlier in ipairs(redis.call('ZREVRANGEBYSCORE', steps, to, from)) do
    local found = ballots_in(groups .. earlier)
    if #found > 0 then return {1, found, 0} end
  end
end
local recorded = now and now <= (tonumber(stands[2]) or now) and is_followed(redis.call('HGET', settings, 'late'))
if no_more then
  local found = ballots_in(group)
  return {#found > 0 and 1 or -1, found, recorded and 1 or 0}
end
if waiter ~= '' then
  redis.call('HSET', group, 'w:' .. waiter, 1)
  redis.call('PEXPIRE', group, ttl_ms)
  redis.call('HSETNX', missing, asker, string.format('%d', now_ms() - waited_ms))
  redis.call('PEXPIRE', missing, ttl_ms)
  if now and lag > 0 then
    redis.call('ZADD', lagging, step, waiter)
    redis.call('PEXPIRE', lagging, ttl_ms)
  end
end
return {0, {}, recorded and 1 or 0}
