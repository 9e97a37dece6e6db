"""Answer HTTP: FastAPI's routes, and the hot routes beside FastAPI."""
