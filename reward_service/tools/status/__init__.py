"""Show a service in the terminal: its processes and their restarts, the store, what waits."""
