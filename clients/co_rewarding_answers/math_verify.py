r"""Stand in for math-verify in a trainer's reward function: its `parse` and `verify`, with our answers and our judge.

    from co_rewarding_answers.math_verify import parse, verify      # was: from math_verify import parse, verify

    verify(parse(gold), parse(response))

Arguments are math-verify's. docs/verify.md says which of them have no effect here, and what is decided otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.vocabulary import AnswerFormat, Thinking

from co_rewarding_answers.responses import DEFAULT_FORMATS, WHOLE, answer_of
from co_rewarding_answers.shared import compare
from reward_service.grading.verdicts import Verdict


class UndecidedError(CoRewardingError):
    """Nothing proves two answers equal or different within the judge's limits (`raise_on_error`)."""


@dataclass(frozen=True)
class LatexExtractionConfig:
    """Say whether boxes are read (`boxed_match_priority` below 0: not), and texts that announce no answer."""

    try_extract_without_anchor: bool = True
    boxed_match_priority: int = 50
    normalization_config: Any = None


@dataclass(frozen=True)
class ExprExtractionConfig:
    """Say whether texts are read that announce no answer."""

    try_extract_without_anchor: bool = True


@dataclass(frozen=True)
class StringExtractionConfig:
    """Name the answers that there are, as in multiple choice."""

    strings: tuple[str, ...] = ("A", "B", "C", "D")
    try_extract_without_anchor: bool = True
    lowercase: bool = True


_BOXES = frozenset({AnswerFormat.BOXED, AnswerFormat.FBOX})
_ANY: tuple[Any, ...] = (LatexExtractionConfig(), ExprExtractionConfig())


def parse(
    pred: str,
    extraction_config: Sequence[Any] = _ANY,
    fallback_mode: Literal["no_fallback", "first_match"] = "first_match",
    extraction_mode: Literal["first_match", "any_match"] = "any_match",
    parsing_timeout: int | None = 5,
    raise_on_error: bool = False,
) -> list[str]:
    """Return the answer of a text in a list, which is empty where the text has none.

    math-verify's own configurations are taken too. `fallback_mode`, `extraction_mode`, `parsing_timeout` and
    `raise_on_error` have no effect: extraction takes linear time, and does not fail.
    """
    boxes = any(getattr(config, "boxed_match_priority", -1) >= 0 for config in extraction_config)
    bare = any(config.try_extract_without_anchor for config in extraction_config)
    formats = [name for name in DEFAULT_FORMATS if (boxes or name not in _BOXES) and (bare or name != WHOLE)]
    answer = answer_of(pred, formats, (), Thinking.READ)
    choices = {
        choice.casefold() for config in extraction_config if hasattr(config, "strings") for choice in config.strings
    }
    only_choices = choices and all(hasattr(config, "strings") for config in extraction_config)
    if answer is None or (only_choices and answer.strip("().* ").casefold() not in choices):
        return []
    return [answer]


def verify(
    gold: list[str] | str,
    target: list[str] | str,
    float_rounding: int = 6,
    numeric_precision: int = 15,
    strict: bool = True,
    allow_set_relation_comp: bool = False,
    timeout_seconds: int | None = 5,
    raise_on_error: bool = False,
) -> bool:
    """Return whether an answer of `target` equals one of `gold`. What stays undecided is not equal.

    Safe in any thread. `raise_on_error` alone has an effect: the judge has limits of its own, and an answer is equal or
    is not, whatever its rounding.

    Raises:
        UndecidedError: with `raise_on_error`, where no pair is equal and one is undecided.
    """
    golds, targets = ([each] if isinstance(each, str) else each for each in (gold, target))
    undecided: tuple[str, str] | None = None
    for one in golds:
        for other in targets:
            verdict = compare(one, other)
            if verdict is Verdict.SAME:
                return True
            if verdict is Verdict.UNDECIDED:
                undecided = one, other
    if undecided is not None and raise_on_error:
        raise UndecidedError(f"{undecided[0][:80]!r} and {undecided[1][:80]!r} are neither proved equal nor different")
    return False
