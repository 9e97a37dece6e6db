"""Use the service: load it, score or replay rollouts of a file, and export, explain, watch or track a run."""
