"""The teacher: its weights on their way in, their average, and the labels it votes."""
