-- What the workers said of themselves whose lease has not ended.
-- KEYS prefix, clock   ARGV for how long the asker has not looked (ms)
local said = {}
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', WORKERS, tick(tonumber(ARGV[1])), '+inf')) do
  said[#said + 1] = redis.call('HGET', SAID, worker) or nil
end
return said
