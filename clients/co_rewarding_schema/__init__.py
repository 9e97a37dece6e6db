"""Hold what clients, trainers and the service agree on: words, methods, limits, values, problems, the root of errors.

The values are structures of msgspec. They say every field once: its type, bounds, default, description and example.
"""
