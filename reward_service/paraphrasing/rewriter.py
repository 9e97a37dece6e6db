"""The Rewriter protocol: a question in, what became of it out."""

from typing import Protocol

from reward_service.domain.paraphrases.rewriting import Outcome, Question, RewritingRecipe


class GivenTexts(Protocol):
    """The second views that the questions of one file or job were given so far."""

    async def claim(self, text: str, question: str) -> bool:
        """Note that a text is the second view of a question; False if it is that of another question already."""
        ...


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

    async def rewrite(self, question: Question, recipe: RewritingRecipe, given: GivenTexts | None = None) -> Outcome:
        """Draws candidates round by round until one is accepted. The same question and recipe draw from the same seeds.

        A text that is another question's second view already, by `given`, is rejected.

        What is wrong with this question alone is in the outcome, and raises nothing.

        Raises:
            GeneratorUnavailableError: the model is away; ask again after its `retry_after_s`.
        """
        ...
