"""Convert values of a file to what is sent. Every `…_of` raises ValueError, which says what the value is instead."""

import json
import math

from co_rewarding_client import View
from co_rewarding_schema.limits import MAX_COUNT

from reward_service.store.keys import question_of_prompt
from reward_service.tools.replay.errors import shown

LONGEST_ID_CHARS = 256
"""A question known by a longer text is named by the text's digest, as the service itself does."""


def is_present(value: object) -> bool:
    """Whether it can name a question."""
    return value is not None and value != ""


def is_text(value: object) -> bool:
    """Whether it can be a response."""
    return isinstance(value, str)


def is_list(value: object) -> bool:
    """Whether it can be a list of rollouts."""
    return isinstance(value, list)


def is_number(value: object) -> bool:
    """Whether it is a number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_flag(value: object) -> bool:
    """Whether it is a truth value."""
    return isinstance(value, bool)


def is_truth(value: object) -> bool:
    """Whether it can be an answer that is written down."""
    return isinstance(value, str) or is_number(value)


def is_index(value: object) -> bool:
    """Whether it is a whole number from 0 on. Tables with gaps hold them as floats."""
    if isinstance(value, float):
        return value.is_integer() and 0 <= value <= MAX_COUNT
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def is_view(value: object) -> bool:
    """Whether it names a view."""
    return value in {"original", "paraphrase"} if isinstance(value, str) else False


def question_id_of(value: object) -> str:
    """How a question is named: by its id, or by its text (chat messages too), a long one by its digest."""
    if not is_present(value):
        raise ValueError("empty, and a question must be known by something")
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    if len(text) > LONGEST_ID_CHARS:
        return question_of_prompt(text)
    # A lone surrogate would come back from the service as another character, and the label miss its rollouts.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def response_of(value: object) -> str:
    """The text of a response; none at all is an empty one, since a rollout that failed still counts in its group."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{_kind(value)}, not the text of a response")
    return value


def boxed_answer_of(value: object) -> str:
    r"""A plain answer as a response that holds it in \boxed{}; an empty response where it is blank."""
    answer = truth_of(value)
    return "" if answer is None else f"\\boxed{{{answer}}}"


def truth_of(value: object) -> str | None:
    """An answer that is written down; None where it is null, blank or not a number."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if not is_truth(value):
        raise ValueError(f"{_kind(value)}, not one answer")
    return str(value) if str(value).strip() else None


def index_of(value: object) -> int | None:
    """A whole number from 0 on; None where it is null."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if not is_index(value):
        raise ValueError(f"{shown(value)}, not a whole number from 0 on")
    return int(value)  # pyright: ignore[reportArgumentType] - is_index has seen that it is a number


def statistic_of(value: object) -> float | None:
    """A finite number; None where there is none, for which the service abstains."""
    if value is None:
        return None
    if not is_number(value):
        raise ValueError(f"{_kind(value)}, not a number")
    try:
        number = float(value)  # pyright: ignore[reportArgumentType] - is_number has seen that it is one
    except OverflowError:  # JSON has whole numbers that no float holds
        return None
    return number if math.isfinite(number) else None


def flag_of(value: object) -> bool | None:
    """A truth value; None where it is null."""
    if value is None or isinstance(value, bool):
        return value
    raise ValueError(f"{_kind(value)}, not true or false")


def share_of(value: object) -> float | None:
    """A number from 0 to 1; None where it is null or no number."""
    number = statistic_of(value)
    if number is not None and not 0 <= number <= 1:
        raise ValueError(f"{shown(value)}, not a number from 0 to 1")
    return number


def view_of(value: object) -> View:
    """A view; the original where it is null."""
    match value:
        case None | "original":
            return View.ORIGINAL
        case "paraphrase":
            return View.PARAPHRASE
        case _:
            raise ValueError(f"{shown(value)}, not 'original' or 'paraphrase'")


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", int: "a number"}
    return kinds.get(type(value), f"a {type(value).__name__}")
