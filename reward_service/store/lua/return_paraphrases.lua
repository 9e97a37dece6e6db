-- A worker gives back what it has taken, so that others may take it.
-- `claims` are job and index by turns.
for k = 1, #claims, 2 do
  local job, index = claims[k], claims[k + 1]
  if redis.call('HGET', key('t', job), index) == worker then give_back(job, index) end
end
