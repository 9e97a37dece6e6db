-- The time.
-- KEYS clock   ARGV for how long the asker has not looked (ms)
return tick(tonumber(ARGV[1]))
