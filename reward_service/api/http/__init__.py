"""What every route shares: bodies within bounds, forms and their first faults, problems, keys, metrics as text."""
