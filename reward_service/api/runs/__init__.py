"""Answer the routes of runs, their cohorts and their quarantine, and those of probes."""
