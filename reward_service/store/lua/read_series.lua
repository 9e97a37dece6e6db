-- The names and sums of the latest steps, those included that wait to be added.
add_waiting_signs(series, steps, answers, waiting_sums, ttl_ms)
local names = redis.call('ZREVRANGE', steps, 0, most - 1)
local points = {}
for _, name in ipairs(names) do
  local kept = redis.call('HGET', series, name)
  if kept then
    points[#points + 1] = name
    points[#points + 1] = kept
  end
end
return points
