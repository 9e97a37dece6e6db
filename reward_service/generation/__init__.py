"""Generate responses from language models: one Generator protocol, and a module for each backend."""
