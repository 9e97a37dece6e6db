"""Hold the rules of co-rewarding: standard library only, no I/O, no clock, no randomness."""
