"""Rollouts that are kept in a file: given to the service again, `co-rewarding score`, or settled here under several
methods and graders, `co-rewarding replay`.
"""
