"""Rollouts that are kept in a file, given to the service again: `co-rewarding score`."""
