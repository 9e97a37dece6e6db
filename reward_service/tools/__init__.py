"""Use the service: the load test, and rollouts of a file scored or replayed."""
