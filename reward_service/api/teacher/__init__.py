"""The routes of the teacher: weights, uploads, and questions that are coming."""
