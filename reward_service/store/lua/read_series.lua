-- The names and sums of the latest steps, those included that wait to be added.
add_waiting_signs(series, steps, answers, waiting_sums, ttl_ms)
return points_of(series, redis.call('ZREVRANGE', steps, 0, most - 1))
