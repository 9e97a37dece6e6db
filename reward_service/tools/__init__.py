"""Use the service: the load test, rollouts of a file scored or replayed, and a run exported, watched or tracked."""
