-- How many workers were seen lately.
return redis.call('ZCOUNT', workers, tick(unseen_ms) - lately_ms, '+inf')
