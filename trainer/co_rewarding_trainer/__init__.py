"""Train with rewards of the reward service."""
