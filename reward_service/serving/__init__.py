"""Run the processes of `co-rewarding serve`: API, workers and the embedded server, under a supervisor."""
