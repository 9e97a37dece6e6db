"""Run the teacher: take in its weights, average them, and vote labels."""
