"""The Rewriter protocol: a question in, what became of it out."""

from typing import Protocol

from reward_service.domain.paraphrases.rewriting import Outcome, Question, Recipe


class Rewriter(Protocol):
    """Puts questions in other words. Belongs to the event loop that opened it; many questions may be under way."""

    @property
    def name(self) -> str:
        """The model, as it is told to people."""
        ...

    @property
    def capacity(self) -> int:
        """How many questions may usefully be under way at once."""
        ...

    async def rewrite(self, question: Question, recipe: Recipe) -> Outcome:
        """Draws candidates round by round until one is accepted. The same question and recipe draw from the same seeds.

        What is wrong with this question alone is in the outcome, and raises nothing.

        Raises:
            GeneratorUnavailableError: the model is away; ask again after its `retry_after_s`.
        """
        ...
