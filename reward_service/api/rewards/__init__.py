"""Reward rollouts: the hot routes, the cohorts of requests, and the requests that are held."""
