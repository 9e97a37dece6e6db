-- A teacher takes the labels that most rollouts wait for, of those that its version may give.
-- KEYS asks, taken, clock   ARGV prefix, version, most, teacher, lease_ms, ttl_ms
-- Answers how many were left by teachers that died, and slot, question_id, view, what is asked, and how many rollouts wait,
-- of each label that was taken.
local SEEN_AT_MOST = 4096
local prefix, version, most, now = ARGV[1] .. 'l:', tonumber(ARGV[2]), tonumber(ARGV[3]), tick()
local left = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)
for _, slot in ipairs(left) do
  redis.call('ZREM', KEYS[2], slot)
  ask(KEYS[1], KEYS[2], prefix .. slot, slot, tonumber(ARGV[6]))
end
local taken = {}
for _, slot in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, SEEN_AT_MOST - 1)) do
  local key = prefix .. slot
  local known = redis.call('HMGET', key, 'm', 'q', 'd', 'n')
  if not known[1] or redis.call('HEXISTS', key, 'x') == 0 then
    redis.call('ZREM', KEYS[1], slot)
  elseif tonumber(known[1]) <= version then
    redis.call('ZREM', KEYS[1], slot)
    redis.call('ZADD', KEYS[2], now + tonumber(ARGV[5]), slot)
    redis.call('PEXPIRE', KEYS[2], ARGV[6])
    redis.call('HSET', key, 'o', ARGV[4])
    taken[#taken + 1] = {slot, known[2], known[3], redis.call('HGET', key, 'x'), tonumber(known[4] or '0')}
    if #taken == most then break end
  end
end
return {#left, taken}
