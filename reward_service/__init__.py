"""Co-rewarding: rewards for reinforcement learning of language models, without labels."""

__version__ = "0.1.0"
