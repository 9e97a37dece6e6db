"""The checks of a paraphrase: each a function of the pair and the tolerances, to the evidence against it or None."""
