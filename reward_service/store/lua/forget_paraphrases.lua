-- A job is gone, with all that was its.
local there = redis.call('EXISTS', key('j', job))
for kind in ('jqrtang'):gmatch('.') do redis.call('DEL', key(kind, job)) end
for _, list in ipairs({JOBS, OPEN, NOW, QUEUE}) do redis.call('ZREM', list, job) end
return there
