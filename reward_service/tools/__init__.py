"""Use the service: show its state, load it, score or replay rollouts of a file; export, explain or follow a run."""
