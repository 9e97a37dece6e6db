-- What the workers said of themselves whose lease has not ended.
local said = {}
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', WORKERS, tick(unseen_ms), '+inf')) do
  said[#said + 1] = redis.call('HGET', SAID, worker) or nil
end
return said
