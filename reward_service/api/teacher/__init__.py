"""Serve the routes of the teacher: weights, uploads, and questions that are announced."""
