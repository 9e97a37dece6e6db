"""Read JSON, and what Python prints in its place, by value: the order of fields and the spaces say nothing."""

import json
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NoReturn

_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'((?:[^'\\]|\\.)*)'|\b(?:True|False|None)\b", re.DOTALL)
_PYTHON = {"True": "true", "False": "false", "None": "null"}
_MOST_DIGITS = 400


def literal(text: str) -> str | None:
    """Return the key of an object, or of a list that holds texts; None for what is no JSON."""
    if text[:1] not in ("{", "[") or not ('"' in text or "'" in text):
        return None
    try:
        value = json.loads(
            _STRING.sub(_double_quoted, text),
            parse_float=_number,
            parse_int=_number,
            parse_constant=_refused,
            object_pairs_hook=_fields,
        )
        return "json: " + json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return None


def _double_quoted(found: re.Match[str]) -> str:
    if found[0] in _PYTHON:
        return _PYTHON[found[0]]
    if found[1] is None:
        return found[0]
    return '"' + found[1].replace("\\'", "'").replace('"', '\\"') + '"'


def _number(digits: str) -> dict[str, str]:
    """A number as an object with one nameless field, which no object of an answer has."""
    if len(digits) > _MOST_DIGITS or "e" in digits.lower():
        return {"": digits}
    return {"": str(Fraction(digits))}


def _refused(constant: str) -> NoReturn:
    raise ValueError(constant)


def _fields(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Return the fields of an object.

    Raises:
        ValueError: a name stands twice, or is empty.
    """
    fields = dict(pairs)
    if len(fields) != len(pairs) or "" in fields:
        raise ValueError("a name twice")
    return fields
