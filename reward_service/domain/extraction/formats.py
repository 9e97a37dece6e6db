"""The notations that a run may read answers in, as a table, and how several are read in order."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache

from reward_service.domain.extraction.boxes import last_boxed, last_framed
from reward_service.domain.extraction.hashes import last_hashed
from reward_service.domain.extraction.json_fields import last_json_field
from reward_service.domain.extraction.sentences import last_said
from reward_service.domain.extraction.turns import turn_reader

KEPT_EXTRACTORS = 64
"""Those of as many runs are kept: a single rollout is read in less time than its extractor is made."""

Extractor = Callable[[str], str | None]
r"""From a response to its answer, stripped and of 1 to MAX_ANSWER_CHARS characters, or None where it holds none."""


class AnswerFormat(StrEnum):
    """A notation for answers. docs/answers.md shows what each one reads."""

    BOXED = "boxed"
    FBOX = "fbox"
    JSON = "json"
    FINAL_ANSWER = "final-answer"
    HASHES = "hashes"


_EXTRACTORS: Mapping[AnswerFormat, Extractor] = {
    AnswerFormat.BOXED: last_boxed,
    AnswerFormat.FBOX: last_framed,
    AnswerFormat.JSON: last_json_field,
    AnswerFormat.FINAL_ANSWER: last_said,
    AnswerFormat.HASHES: last_hashed,
}


def extractor(formats: Sequence[str], end_tokens: Sequence[str] = ()) -> Extractor:
    """Return how a run reads answers: the first of `formats` in which a response holds one decides.

    The response ends with the policy's turn: at the first of the known end-of-turn tokens or of `end_tokens`.

    Raises:
        ValueError: a name is that of no AnswerFormat. RunSettings has refused it before.
    """
    return _extractor(tuple(formats), tuple(end_tokens))


@lru_cache(KEPT_EXTRACTORS)
def _extractor(formats: tuple[str, ...], end_tokens: tuple[str, ...]) -> Extractor:
    readers = tuple(_EXTRACTORS[AnswerFormat(name)] for name in formats)
    turn_of = turn_reader(end_tokens)

    if len(readers) == 1:
        (only,) = readers
        return lambda response: only(turn_of(response) if end_tokens or "<" in response else response)

    def first_found(response: str) -> str | None:
        turn = turn_of(response)
        for read in readers:
            answer = read(turn)
            if answer is not None:
                return answer
        return None

    return first_found
