-- A teacher takes the labels that most rollouts wait for, of those that its version may give.
-- Answers how many were left by teachers that died, and slot, question_id, view, what is asked, and how many rollouts wait,
-- of each label that was taken.
local SEEN_AT_MOST = 4096
local slots, now = prefix .. 'l:', tick()
local left = redis.call('ZRANGEBYSCORE', taken, '-inf', now)
for _, slot in ipairs(left) do
  redis.call('ZREM', taken, slot)
  ask(asks, taken, slots .. slot, slot, ttl_ms)
end
local answer = {}
for _, slot in ipairs(redis.call('ZREVRANGE', asks, 0, SEEN_AT_MOST - 1)) do
  local key = slots .. slot
  local known = redis.call('HMGET', key, 'm', 'q', 'd', 'n')
  if not known[1] or redis.call('HEXISTS', key, 'x') == 0 then
    redis.call('ZREM', asks, slot)
  elseif tonumber(known[1]) <= version then
    redis.call('ZREM', asks, slot)
    redis.call('ZADD', taken, now + lease_ms, slot)
    redis.call('PEXPIRE', taken, ttl_ms)
    redis.call('HSET', key, 'o', teacher)
    answer[#answer + 1] = {slot, known[2], known[3], redis.call('HGET', key, 'x'), tonumber(known[4] or '0')}
    if #answer == most then break end
  end
end
return {#left, answer}
