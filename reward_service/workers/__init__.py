"""Work on the streams: settle cohorts, claim the jobs of dead workers, close overdue cohorts."""
