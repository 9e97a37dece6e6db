"""Trainers that learn from the reward service."""
