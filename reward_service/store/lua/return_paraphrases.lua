-- A worker gives back what it has taken, so that others may take it.
-- KEYS prefix, clock   ARGV worker, then job and index by turns
for k = 2, #ARGV, 2 do
  if redis.call('HGET', key('t', ARGV[k]), ARGV[k + 1]) == ARGV[1] then give_back(ARGV[k], ARGV[k + 1]) end
end
