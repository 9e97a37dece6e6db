"""Everything that is kept: cohorts, jobs and runs in Redis, one code path for the embedded server and a real one."""
