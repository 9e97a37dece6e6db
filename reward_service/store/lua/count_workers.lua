-- How many workers were seen lately.
-- KEYS workers, clock   ARGV how long ago is lately (ms), for how long the asker has not looked (ms)
return redis.call('ZCOUNT', KEYS[1], tick(tonumber(ARGV[2])) - tonumber(ARGV[1]), '+inf')
