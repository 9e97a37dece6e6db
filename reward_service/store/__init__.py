"""Keep cohorts, jobs and runs in Redis, by one code path for the embedded server and a real one."""
