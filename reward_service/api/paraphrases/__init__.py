"""Serve the routes of paraphrases: a few questions at once, and jobs."""
