"""Find the answer of a response, and of a ground truth, as a trainer's data hold them."""

import re
from collections.abc import Sequence

from co_rewarding_schema.vocabulary import AnswerFormat, Thinking

from reward_service.domain.extraction import FORMATS, extractor, first_turn

WHOLE = "whole"
"""A format beside those of a run: the response is itself the answer, one line without a sentence."""

DEFAULT_FORMATS: tuple[str, ...] = (*FORMATS, WHOLE)
"""The formats of a run, the surest mark first, and a bare answer where none of them finds one."""

MOST_WHOLE_CHARS = 256

_SENTENCE = re.compile(
    r"\b(?:is|are|was|were|be|am|not|never|no|wrong|incorrect|false|maybe|perhaps|know|let|answer)\b|n't|[?？!]",
    re.IGNORECASE,
)
_NUMERAL = re.compile(r"[0-9\\$]")
_MARKS = ("\\boxed", "\\fbox", "####", "<answer>")
_OF_TRUTH = (AnswerFormat.BOXED, AnswerFormat.FBOX, AnswerFormat.ANSWER_TAG, AnswerFormat.HASHES)


def answer_of(response: str, formats: Sequence[str], end_tokens: Sequence[str], thinking: str) -> str | None:
    """Return the answer of a response, in the first of the formats that finds one; None where none does.

    Raises:
        ValueError: a format or a choice about thinking has an unknown name.
    """
    named = tuple(name for name in formats if name != WHOLE)
    answer = extractor(named, end_tokens, thinking)(response) if named else None
    if answer is not None or WHOLE not in formats or Thinking(thinking) is Thinking.NEVER:
        return answer
    return bare_answer(first_turn(response))


def bare_answer(text: str) -> str | None:
    r"""Return a text that is itself an answer, stripped; None for a text of several lines, and for a sentence.

    `5 is wrong` and `is it 5? no` hold a number and do not answer with it. A word alone is an answer: `no`. What begins
    in another format and does not end is no answer: `\boxed{5`.
    """
    line = text.strip()
    if not line or len(line) > MOST_WHOLE_CHARS or "\n" in line or any(mark in line for mark in _MARKS):
        return None
    if _SENTENCE.search(line) is not None and (" " in line or _NUMERAL.search(line) is not None):
        return None
    return line


def truth_of(gold: str | float) -> str:
    r"""Return the answer that a ground truth names: the text, or what it holds in \boxed{}, in tags or behind ####."""
    text = str(gold)
    if any(mark in text for mark in _MARKS):
        return extractor(_OF_TRUTH)(text) or text.strip()
    return text.strip()
