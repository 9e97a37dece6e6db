"""Use the service: show its state, load-test it, score or replay rollouts of a file; export, watch or track a run."""
