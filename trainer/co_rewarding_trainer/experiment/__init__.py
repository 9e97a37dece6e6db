"""Run suites of trainings of the tiny task: rows of methods, by learning rates, starts and seeds, into one folder."""
