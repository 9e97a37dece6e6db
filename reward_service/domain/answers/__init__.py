"""What answers mean: canonical keys, proofs of difference, classes. Bounded, pure, and never an evaluation of text."""
