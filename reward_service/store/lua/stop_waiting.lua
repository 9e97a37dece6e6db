-- These who waited for a group of a run's ballots have been told.
for _, waiter in ipairs(waiters) do
  redis.call('HDEL', group, 'w:' .. waiter)
  redis.call('ZREM', lagging, waiter)
end
