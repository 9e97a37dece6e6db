"""What a paraphrase must keep: the reading of two texts, and checks that compare them without asking a model."""
