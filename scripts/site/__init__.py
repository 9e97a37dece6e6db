"""Make the documentation site: its pictures, its reference of the HTTP API, and what mkdocs cannot do by itself."""
