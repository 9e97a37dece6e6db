"""The wire: thin. The hot routes are plain ASGI in front of FastAPI, which has the rest."""
