"""Write what a service keeps of a run to a file, for `co-rewarding replay` and for data frames."""
