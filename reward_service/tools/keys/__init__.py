"""Make keys for the file of keys, and check such a file."""
