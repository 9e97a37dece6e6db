"""Check a candidate by models: answers to both texts agree, and embeddings of both texts are near."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from co_rewarding_schema.vocabulary import View, Voter

from reward_service.domain.answers.conventions import Conventions
from reward_service.domain.extraction import Extractor
from reward_service.domain.settlement import elect
from reward_service.domain.types import Ballot
from reward_service.errors import SettingsError
from reward_service.generation.generator import Generator, Sampling, question_prompt
from reward_service.grading.verdicts import Grader


class Answerer:
    """Draws a model's answers to a question and compares them as the service compares the answers of rollouts."""

    def __init__(self, generator: Generator, grader: Grader, extract: Extractor, conventions: Conventions) -> None:
        """Read answers by `extract`, and grade them under the conventions."""
        self._generator = generator
        self._grader = grader
        self._extract = extract
        self._conventions = conventions

    async def answers(self, question: str, sampling: Sampling) -> list[str | None]:
        """Return n answers, None where a response holds none. Raises what `Generator.generate` raises."""
        generated = await self._generator.generate(question_prompt(question), sampling)
        return [self._extract(text) for text in generated.texts_n]

    async def majority(self, answers_n: Sequence[str | None]) -> str | None:
        """Elect an answer as the service's labels are elected; None if there is not one answer."""
        found = sorted({answer for answer in answers_n if answer is not None})
        classes = (await self._grader.classify(found, self._conventions)).class_of
        winner = elect(
            Ballot(View.ORIGINAL, Voter.POLICY, place, answer, None if answer is None else classes[answer])
            for place, answer in enumerate(answers_n)
        )
        return None if winner is None else winner.answer

    async def agreement(self, answer: str, answers_n: Sequence[str | None]) -> float:
        """Return the share, in [0, 1], of answers that equal `answer`; a response without one agrees with nothing."""
        found = sorted({each for each in answers_n if each is not None})
        equal = (await self._grader.match(answer, found, self._conventions)).equal
        return sum(each in equal for each in answers_n) / len(answers_n)


class Similarity(Protocol):
    """Tells how near a paraphrase is to its original."""

    async def of(self, original: str, paraphrase: str) -> float:
        """Return the cosine of the texts' embeddings, in [-1, 1]: 1 for the same text."""
        ...


class EmbeddingSimilarity:
    """Compares by a model of the package sentence-transformers: a folder, or a name on the Hugging Face hub."""

    def __init__(self, model: str) -> None:
        """Load the model, which takes seconds.

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
        """Return the cosine of the texts' embeddings."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._cosine, original, paraphrase)

    def _cosine(self, original: str, paraphrase: str) -> float:
        one, other = self._model.encode([original, paraphrase], normalize_embeddings=True, show_progress_bar=False)
        return float(one @ other)
