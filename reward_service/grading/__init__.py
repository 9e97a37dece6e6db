"""Decide whether two answers are equal: the Grader protocol, and the service's grader."""
