"""Define rewriters: the protocol from a question to its outcome, objections to candidates, counts of outcomes."""

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from co_rewarding_schema.errors import CoRewardingError
from rich.console import Console
from rich.table import Table

from reward_service.domain.paraphrases.policy import CHECKS
from reward_service.domain.paraphrases.rewriting import Candidate, Fate, Outcome, Question, RewritingRecipe


class RewritingError(CoRewardingError):
    """Questions cannot be rewritten as ordered; the message says what to change. Nothing that was asked is lost."""


class GivenTexts(Protocol):
    """The second views that the questions of one file or job were given so far."""

    async def claim(self, text: str, question: str) -> bool:
        """Note that a text is the second view of a question; False if it is that of another question already."""
        ...


class Rewriter(Protocol):
    """Puts questions in other words. Belongs to the event loop that opened it; many questions may be under way."""

    @property
    def name(self) -> str:
        """Return the model's name, as people are told it."""
        ...

    @property
    def capacity(self) -> int:
        """Return how many questions may usefully be under way at once."""
        ...

    async def rewrite(self, question: Question, recipe: RewritingRecipe, given: GivenTexts | None = None) -> Outcome:
        """Draws candidates round by round until one is accepted. The same question and recipe draw from the same seeds.

        A text that is another question's second view already, by `given`, is rejected.

        What is wrong with this question alone is in the outcome, and raises nothing.

        Raises:
            GeneratorUnavailableError: the model is away; ask again after its `retry_after_s`.
        """
        ...


UNMARKED, SAME_ANSWER, SIMILARITY, GIVEN_OUT, DOUBT = "unmarked", "same-answer", "similarity", "given-out", "doubt"
"""How reasons are named that no cheap check gives."""
REASONS: Mapping[str, str] = MappingProxyType(
    {name: row.about for name, row in CHECKS.items()}
    | {
        DOUBT: "the doubt of the pair is small",
        UNMARKED: "it is marked as the rewritten question",
        SIMILARITY: "the embeddings of both are near",
        SAME_ANSWER: "the model comes to the same answer",
        GIVEN_OUT: "no other question has the same text as its second view",
    }
)
"""What a candidate may be rejected by, and what is then not true of it."""


def reasons_of(candidate: Candidate, recipe: RewritingRecipe) -> Iterator[tuple[str, str]]:
    """Yield the reasons against a candidate: a name and a few words. Nothing for an accepted one."""
    if candidate.accepted:
        return
    for each in candidate.review.objections:
        if each.check in recipe.policy.deciding:
            yield each.check, each.evidence.words
    if candidate.review.doubt > recipe.policy.most_doubt:
        yield DOUBT, f"{candidate.review.doubt:.2f}, of at most {recipe.policy.most_doubt}"
    if not (candidate.marked or recipe.unmarked):
        yield UNMARKED, "the whole response, of which nothing is set apart as the rewritten question"
        return
    if not candidate.review.accepted:
        return
    if candidate.given_out:
        yield GIVEN_OUT, "another question has the same text as its second view"
        return
    if candidate.same_answer is not None:
        yield SAME_ANSWER, f"{candidate.same_answer:.0%} of the answers agree, of at least {recipe.least_agreement:.0%}"
    elif candidate.similarity is not None:
        yield SIMILARITY, f"{candidate.similarity:.2f}, of at least {recipe.least_similarity}"


class RewritingTally:
    """Counts outcomes as they come."""

    def __init__(self, recipe: RewritingRecipe) -> None:
        """Begin with no outcome."""
        self._recipe = recipe
        self.fates: Counter[Fate] = Counter()
        self.drawn: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.rejected_by: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count one more outcome."""
        self.fates[outcome.fate] += 1
        if outcome.error is not None:
            self.errors[outcome.error] += 1
        for candidate in outcome.candidates:
            self.drawn[candidate.prompt] += 1
            self.accepted[candidate.prompt] += candidate.accepted
            self.rejected_by.update(name for name, _ in reasons_of(candidate, self._recipe))

    def as_json(self) -> dict[str, Any]:
        """Return the counts without checks that objected to nothing."""
        prompts = dict.fromkeys(self._recipe.prompts)
        return {
            "questions": self.fates.total(),
            "fates": {fate: self.fates[fate] for fate in Fate},
            "candidates": self.drawn.total(),
            "prompts": {name: {"drawn": self.drawn[name], "accepted": self.accepted[name]} for name in prompts},
            "rejected_by": {name: self.rejected_by[name] for name in REASONS if self.rejected_by[name]},
            "errors": dict(self.errors.most_common(20)),
        }

    def show(self, console: Console) -> None:
        """Print the counts as tables."""
        console.print(_table("what became of questions", [(fate, self.fates[fate], "") for fate in Fate]))
        prompts = dict.fromkeys(self._recipe.prompts)
        accepted = [(name, self.drawn[name], f"{self.accepted[name]} accepted") for name in prompts]
        console.print(_table("candidates by prompt", accepted))
        rejected = [(name, count, REASONS[name]) for name, count in self.rejected_by.most_common()]
        if rejected:
            console.print(_table("candidates rejected because this does not hold", rejected))
        for error, count in self.errors.most_common(3):
            console.print(f"failed, {count}: {error}", markup=False, soft_wrap=True)


def _table(title: str, rows: list[tuple[str, int, str]]) -> Table:
    table = Table(box=None, title=title, title_justify="left", title_style="bold", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for name, count, about in rows:
        table.add_row(str(name), str(count), about)
    return table
