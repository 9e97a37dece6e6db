"""Let callers in: by key, scope, run and quota; and note what they change."""
