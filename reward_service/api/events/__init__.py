"""Tell viewers what changes in runs, by server-sent events."""
