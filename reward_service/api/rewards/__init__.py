"""Rollouts in, rewards out: the hot routes, the cohorts that requests become, and those that are held."""
