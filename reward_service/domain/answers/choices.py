"""Read the letters of choices, with what stands behind them: (B), Option B, B) 12, A. 1 and C. 3."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_STYLE = r"\\(?:text|mathrm|mathbf|boldsymbol)(?:bf|it|rm|tt|sf)?"
_NAMED = r"(?:[Oo]ption|[Cc]hoice|OPTION|CHOICE)\s*:?\s*"
_LABEL = re.compile(
    rf"(?:{_NAMED})?(?:\(([A-J])\)[.:]?|([A-J])[).:]|{_STYLE}\{{\s*(?:{_NAMED})?\(?([A-J])\)?[.:]?\s*\}}\)?[.:]?"
    r")(?:\\ |\\[,;:]|\\quad|[\s~])*+"
)
_ALONE = re.compile(rf"(?:{_NAMED})?(?:\(([A-J])\)|([A-J])[).:]?|{_STYLE}\{{\s*\(?([A-J])\)?\s*\}})[.:]?")
_NAMED_CONTENT = re.compile(rf"{_NAMED}\(?([A-J])\)?\s*[:.,-]?\s+(?=\S)")
_DASHED = re.compile(r"\(?([A-J])\)?\s+-+\s+(?=[A-Za-z]{3})(?=[^\\=+*/^_]*$)")
_FURTHER = re.compile(
    r"\(([A-J])\)|(?<![A-Za-z\\^_{(])([A-J])[).:](?=\s|\d|$|[\\$])|(?:[Oo]ption|[Cc]hoice)\s*\(?([A-J])(?![A-Za-z])"
    r"|^\W*(?:and|or)\W*([A-J])(?![A-Za-z])"
)
_BARE = re.compile(rf"(?:\(?[A-J]\)?|{_STYLE}\{{\(?[A-J]\)?\}}|\\text\{{\s*(?:and|or)\s*\}}|and|or|[\s,;&])+")
_SPACED = frozenset(" \t\n~")


class Choice(NamedTuple):
    """The letters of one choice or more, and the text behind a single one."""

    letters: Sequence[str]
    content: str


def choice_of(text: str) -> Choice | None:
    """Return the choice that an answer names; None where it names none, or nothing but letters without a mark."""
    first = text[:1]
    if not (first in _FIRST or text.startswith(("\\text", "\\math", "\\bold"))):
        return None
    alone = _ALONE.fullmatch(text)
    if alone is not None:
        return Choice((alone[1] or alone[2] or alone[3],), "")
    if _BARE.fullmatch(text):
        return None  # (A) and (B) is a list
    found = _NAMED_CONTENT.match(text) or _DASHED.match(text)
    if found is None:
        found = _LABEL.match(text)
        if found is None or found.end() == len(text):
            return None
        spaced = text[found.end() - 1] in _SPACED or found[0].endswith((",", ";", "quad"))
        if not (spaced or text[found.end()] in "\\$" or text[found.end()].isdigit()):
            return None
    letter = next(group for group in found.groups() if group is not None)
    content = text[found.end() :]
    letters = dict.fromkeys([letter, *(label[label.lastindex or 0] for label in _FURTHER.finditer(content))])
    return Choice(tuple(letters), content)


_FIRST = frozenset("(ABCDEFGHIJoOcC")
