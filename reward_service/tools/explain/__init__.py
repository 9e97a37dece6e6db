"""Explain rewards in the terminal: the labels and ballots of a cohort."""
