-- A replica lives, and holds rollouts of the run.
say_alive(alive)
