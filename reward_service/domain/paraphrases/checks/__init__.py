"""Check a pair: a check is a function of the pair and the tolerances, to the evidence against it or None."""
