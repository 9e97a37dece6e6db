-- A replica lives, and holds rollouts of the run.
-- KEYS alive, clock
say_alive(KEYS[1])
