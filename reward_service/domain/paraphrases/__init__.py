"""Check what a paraphrase must keep: read two texts, and compare them without asking a model."""
