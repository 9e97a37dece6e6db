"""The processes of `co-rewarding serve`: API, workers, the embedded server, and who watches over them."""
