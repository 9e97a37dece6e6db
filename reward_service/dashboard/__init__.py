"""Show a person's browser the page at /: files of the package, which ask the API as any client does."""
