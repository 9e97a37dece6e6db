-- New weights of the policy: they are taken once a step, in order.
-- KEYS teacher, updates
-- ARGV step accepted as it was read ('' none), step, alpha, update, ttl_ms
local accepted = redis.call('HGET', KEYS[1], 'accepted') or ''
if accepted == ARGV[2] then return {'known', redis.call('HGET', KEYS[1], 'accepted_alpha')} end
if accepted ~= ARGV[1] then return {'moved'} end
redis.call('HSET', KEYS[1], 'accepted', ARGV[2], 'accepted_alpha', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {'new', ARGV[3]}
