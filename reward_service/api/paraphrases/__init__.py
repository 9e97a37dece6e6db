"""The routes of paraphrases: a few questions now, and jobs."""
