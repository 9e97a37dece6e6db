"""Run the service within a Ray cluster: `co-rewarding ray`, and `handle` for drivers."""
