-- A cohort or batch is about to be settled: should a worker that died have noted that it waits, it does not.
forget(awaiting, waits, awaited, name)
