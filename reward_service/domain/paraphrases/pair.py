"""What is checked, and what a check may say."""

from dataclasses import dataclass
from typing import NamedTuple

from reward_service.domain.paraphrases.reading import TextReading, read_text


class Span(NamedTuple):
    """A place in a text, from `start` to `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A question, a paraphrase of it, and the answer of both where it is known."""

    original: TextReading
    paraphrase: TextReading
    ground_truth: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a check objects, in a few words for a person, and where in the two texts it saw that."""

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
    """

    least_changed: float = 0.15
    near_copy_words: int = 12
    least_length: float = 0.3
    most_length: float = 5.0
    spare_tokens: int = 4
    foreign_letters: float = 0.1
    least_words: float = 0.12
    least_numbers: float = 0.8


def pair_of(original: str, paraphrase: str, ground_truth: str | None = None) -> Pair:
    """Reads both texts."""
    return Pair(read_text(original), read_text(paraphrase), ground_truth or None)
