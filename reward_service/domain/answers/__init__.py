"""Read what answers mean: canonical keys, proofs of difference, classes. Bounded, pure, nothing is evaluated."""
