"""Reward rollouts that are kept in a file.

`co-rewarding score` gives them to the service again; `co-rewarding replay` settles them here under several methods and
graders.
"""
