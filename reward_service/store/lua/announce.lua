-- New weights of the policy: they are taken once a step, in order.
-- `seen` is the step that was accepted as the caller read it, '' for none.
local accepted = redis.call('HGET', teacher, 'accepted') or ''
if accepted == step then return {'known', redis.call('HGET', teacher, 'accepted_alpha')} end
if accepted ~= seen then return {'moved'} end
redis.call('HSET', teacher, 'accepted', step, 'accepted_alpha', alpha)
redis.call('ZADD', updates, step, update)
redis.call('PEXPIRE', teacher, ttl_ms)
redis.call('PEXPIRE', updates, ttl_ms)
return {'new', alpha}
