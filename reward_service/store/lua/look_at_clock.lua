-- The time.
return tick(unseen_ms)
