"""Hold pairs for the checks, the evidence on them, and how much they may differ."""

from dataclasses import dataclass
from functools import cached_property

from reward_service.domain.paraphrases.coverage import Coverage, coverage_of
from reward_service.domain.paraphrases.reading import Span, TextReading, read_text


@dataclass(frozen=True, eq=False)
class Pair:
    """A question, a paraphrase of it, and the answer of both where it is known."""

    original: TextReading
    paraphrase: TextReading
    ground_truth: str | None = None

    @cached_property
    def coverage(self) -> Coverage:
        """Return how the paraphrase covers the question, compared once."""
        return coverage_of(self.original, self.paraphrase)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The reason of an objection, in a few words for a person, and its places in the two texts."""

    words: str
    in_original: tuple[Span, ...] = ()
    in_paraphrase: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """How much a paraphrase may differ, or must. Lengths are in words and signs, shares in [0, 1].

    least_changed: of the wording, where that has near_copy_words words.
    least_length, most_length: of the original's length, give or take spare_tokens (ten times that for the longest).
    foreign_letters: of a script that the original has not.
    least_words, least_numbers: shared with the original; one of the two is enough.
    least_support: of the original's words by the paraphrase's, as a mean logarithm; 0 is usual.
    most_lacking: how probable it may be that a stretch of the original was left out, as the logarithm of the odds.
    """

    least_changed: float = 0.15
    near_copy_words: int = 12
    least_length: float = 0.3
    most_length: float = 5.0
    spare_tokens: int = 4
    foreign_letters: float = 0.1
    least_words: float = 0.12
    least_numbers: float = 0.8
    least_support: float = -0.9
    most_lacking: float = 1.75


def pair_of(original: str, paraphrase: str, ground_truth: str | None = None) -> Pair:
    """Read both texts as a pair."""
    return Pair(read_text(original), read_text(paraphrase), ground_truth or None)
