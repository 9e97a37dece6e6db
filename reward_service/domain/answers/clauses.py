"""Part an answer's tokens: what is said of its letters behind it, and what a value is called in front of it."""

import re
from typing import NamedTuple

from reward_service.domain.answers.tokens import Token, structure

_OPENING = frozenset({"(", "[", "{", "\\{"})
_CLOSING = frozenset({")", "]", "}", "\\}"})
_BOUNDS = frozenset({"\\in", "<", ">", "≤", "≥", "≠"})
_RELATIONS = _BOUNDS | {"=", "\\approx", "\\equiv"}
_SETTING = re.compile(r"\s*,?\s*(?:for (?:all|every|any|each)|where|for)(?![a-z])")
_SILENT = frozenset({
    "for", "all", "every", "any", "each", "where", "with", "is", "are", "an", "a", "the", "some", "arbitrary", "number",
    "numbers", "real", "reals", "constant", "constants", "value", "values", "of",
})  # fmt: skip
_KINDS = {
    "integer": "Z", "integers": "Z", "positive": "positive", "negative": "negative", "natural": "N", "nonzero": "≠ 0",
    "nonnegative": "nonnegative", "odd": "odd", "even": "even", "prime": "prime", "and": "and",
}  # fmt: skip
_NO_NAMES = _SILENT | _KINDS.keys()
_APPLYING = frozenset({"\\sum", "\\prod", "\\int", "\\lim", "\\max", "\\min", "\\det", "|", "text", "\\#", "\\angle"})


class Parted(NamedTuple):
    """The tokens of an answer, and what holds of its letters: empty where it says nothing new."""

    tokens: list[Token]
    setting: str


def parted(tokens: list[Token]) -> Parted | None:
    r"""Part an answer from the qualifier behind it: n+1, n \ge 1; x^2 for all x; k\pi (k \in \mathbb Z).

    None where there is none, or where it speaks of other letters, gives values, or says more than what letters are.
    """
    cut = _setting_at(tokens)
    if cut is None:
        return None
    main, behind = cut
    if not main or not behind or any(token.kind in ("=", "\\approx", "\\equiv") for token in behind):
        return None
    letters = _letters(behind)
    setting = _said(behind, letters)
    if not letters or setting is None or not letters <= _letters(main):
        return None
    return Parted(main, setting)


def named(tokens: list[Token]) -> tuple[str, list[Token]] | None:
    """Return what a value is called and its tokens, where its name is no name but a notation: P(A|B) = 1/4."""
    depth = 0
    places: list[int] = []
    for place, token in enumerate(tokens):
        depth += (token.kind in _OPENING) - (token.kind in _CLOSING)
        if depth == 0 and token.kind in _RELATIONS:
            places.append(place)
    if len(places) != 1 or tokens[places[0]].kind != "=" or not places[0]:
        return None
    name, value = tokens[: places[0]], tokens[places[0] + 1 :]
    applied = name[0].kind in _APPLYING or (name[0].kind == "word" and len(name) > 1 and name[1].kind in ("(", "["))
    return (structure(name), value) if applied and value else None


def _setting_at(tokens: list[Token]) -> tuple[list[Token], list[Token]] | None:
    """Return the tokens before a qualifier, and those of it."""
    depth, commas = 0, list[int]()
    bounded: int | None = None
    for place, token in enumerate(tokens):
        depth += (token.kind in _OPENING) - (token.kind in _CLOSING)
        if depth:
            continue
        if token.kind == "text" and place and _SETTING.match(token.text.lower()):
            end = place - (tokens[place - 1].kind == ",")
            return tokens[:end], tokens[place:]
        if token.kind == "\\forall" and place:
            return tokens[: place - (tokens[place - 1].kind == ",")], tokens[place + 1 :]
        if token.kind == ",":
            commas.append(place)
        elif token.kind in _BOUNDS and bounded is None:
            bounded = place
    if bounded is not None and commas:
        before = [place for place in commas if place < bounded]
        if before and _is_names(tokens[before[0] + 1 : bounded]):
            return tokens[: before[0]], tokens[before[0] + 1 :]
        if len(before) > 1 and _is_names(tokens[before[-1] + 1 : bounded]):
            return tokens[: before[-1]], tokens[before[-1] + 1 :]
    return _in_brackets(tokens) if bounded is None else None


def _in_brackets(tokens: list[Token]) -> tuple[list[Token], list[Token]] | None:
    if len(tokens) < 6 or tokens[-1].kind != ")":
        return None
    depth, start = 0, len(tokens) - 1
    while start >= 0:
        depth += (tokens[start].kind in _CLOSING) - (tokens[start].kind in _OPENING)
        if depth == 0:
            break
        start -= 1
    inside = tokens[start + 1 : -1]
    at = next((place for place, token in enumerate(inside) if token.kind in _BOUNDS), None)
    if start < 1 or at is None or not _is_names(inside[:at]):
        return None
    if tokens[start - 1].kind in ("word", "text") and not tokens[start].spaced:
        return None  # P(X > 2)
    return tokens[:start], inside


def _is_names(tokens: list[Token]) -> bool:
    return bool(tokens) and all(
        (token.kind == "word" and len(token.text) <= 2)
        or token.kind in (",", "_", "number", "{", "}")
        or _is_greek(token)
        for token in tokens
    )


def _is_greek(token: Token) -> bool:
    return (
        token.kind[0] == "\\" and token.kind[1:].isalpha() and token.kind not in _RELATIONS and token.text == token.kind
    )


def _letters(tokens: list[Token]) -> set[str]:
    """Return the names in tokens, whose runs of small letters are products; words are none."""
    found: set[str] = set()
    before = ""
    for token in tokens:
        if before == "\\in":
            before = ""
            continue
        before = token.kind
        if token.kind == "word" and (len(token.text) == 1 or (len(token.text) <= 3 and token.text not in _NO_NAMES)):
            found.update(token.text)
        elif token.kind in ("\\alpha", "\\beta", "\\theta", "\\lambda", "\\mu", "\\phi", "\\omega", "\\epsilon"):
            found.add(token.kind)
    return found


def _said(tokens: list[Token], letters: set[str]) -> str | None:
    """Return what a qualifier says, in one spelling; None where it says what is not understood."""
    words: list[str] = []
    for token in tokens:
        if token.kind == "word" and token.text == "R" and words[-1:] == ["\\in"]:
            words.pop()
        elif token.kind == "word" and (set(token.text) <= letters or token.text in "ZNQC"):
            words.append(token.text)
        elif token.kind in ("word", "text"):
            for word in re.findall(r"[a-z]+|[^\sa-z]+", token.text.lower().replace("-", "")):
                if word in _KINDS:
                    words.append(_KINDS[word])
                elif word not in _SILENT and word not in (",", ".") and word not in letters:
                    return None
                elif word in letters:
                    words.append(word)
        elif token.kind not in (",", "{", "}"):
            words.append(token.text if token.kind == "number" else token.kind)
    if set(words) <= letters | {"and"}:
        return ""
    if _BOUNDS.isdisjoint(words):
        return " ".join(sorted(set(words) - {"and"}))
    if words.count("\\in") == 1 and len(words) == 3:
        return " ".join(sorted(set(words) - {"\\in"}))
    return " ".join(words)
