"""Share what every route needs: bodies within bounds, forms and their faults, problems, keys, metrics as text."""
