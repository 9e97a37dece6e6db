"""How near two texts are in meaning, by a small embedding model, where one is installed."""

import asyncio
from typing import Protocol

from reward_service.errors import SettingsError


class Similarity(Protocol):
    """Tells how near a paraphrase is to its original."""

    async def of(self, original: str, paraphrase: str) -> float:
        """The cosine of their embeddings, in [-1, 1]: 1 for the same text."""
        ...


class EmbeddingSimilarity:
    """By a model of the package sentence-transformers: a folder, or a name on the Hugging Face hub."""

    def __init__(self, model: str) -> None:
        """Loads the model, which takes seconds.

        Raises:
            SettingsError: the package is not installed, or there is no such model.
        """
        try:
            from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]
        except ModuleNotFoundError as cause:
            raise SettingsError(f"{cause.name} is not installed: pip install sentence-transformers") from cause
        try:
            self._model = SentenceTransformer(model)
        except (OSError, ValueError) as cause:
            raise SettingsError(f"{model}: no embedding model can be loaded from it: {cause}") from cause
        self._one_at_a_time = asyncio.Lock()

    async def of(self, original: str, paraphrase: str) -> float:
        """See `Similarity.of`."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._cosine, original, paraphrase)

    def _cosine(self, original: str, paraphrase: str) -> float:
        one, other = self._model.encode([original, paraphrase], normalize_embeddings=True, show_progress_bar=False)
        return float(one @ other)
