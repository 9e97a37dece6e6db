"""The form of a paraphrase: that there is one, that it is no copy, as long as it should be, and whole."""

import re
import unicodedata
from collections import Counter
from itertools import pairwise

from reward_service.domain.paraphrases.pair import Evidence, Pair, Span, Tolerances
from reward_service.domain.paraphrases.reading import MOST_CHARS, TextReading

_MARKER = re.compile(
    r"</?\s?(?:paraphrase|rewritten|rewrite|question|think|answer|problem|output|original)[a-z _-]{0,20}>"
    r"|<\|[a-z_]{1,20}\|>|^\s*<(?=[A-Za-z])|^\s*(?:sure|certainly|of course|okay)[,!.]"
    r"|^\W*(?:here(?:'s| is) (?:the|a|my|your)?\s?(?:rewritten|paraphrased|rephrased|reworded|revised|new)"
    r"|(?:rewritten|paraphrased|rephrased|reworded|revised) (?:question|problem|version)\s?:|paraphrase\s?:)"
    r"|\b(?:omitted|provided) for (?:brevity|reference)\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(r"^\W*(?:i(?:'m| am) sorry|i can(?:not|'t)|as an ai|unfortunately, i)\b", re.IGNORECASE)
_LETTER = re.compile(r"[^\W_]")
_HANGING = frozenset({
    "a", "an", "the", "of", "to", "in", "on", "at", "by", "for", "with", "from", "and", "or", "but", "if", "that", "is",
    "are", "was", "be", "as", "than", "between", "into", "its", "their", "each", "where", "when", "which", "what",
})  # fmt: skip
_LONGEST_LINE = 200
_OPEN_END = re.compile(r"[\w,;:(\[{+=<>&*/\\-]$")
_LIST_LINE = re.compile(r"^(?:\(?[A-Z]\)|[A-Z][.)]|[-*•]|\(?[ivx]+\)|\d+[.)]|[\d\s]+$)|\\end\{|&|\|")


def parsed(pair: Pair, _: Tolerances) -> Evidence | None:
    """There is a paraphrase and nothing around it: no marker, no preamble, no apology."""
    text = pair.paraphrase.text
    if not _LETTER.search(text):
        return Evidence("there is no text")
    if len(text) >= MOST_CHARS:
        return Evidence(f"more than {MOST_CHARS} characters")
    found = _MARKER.search(text) or _REFUSAL.search(text)
    if found is None:
        return None
    said = " ".join(found.group().split())
    return Evidence(f"not a question but what goes around one: {said}", (), (Span(*found.span()),))


def not_copied(pair: Pair, tolerances: Tolerances) -> Evidence | None:
    """It says something else than the original, apart from signs, capitals and spaces; how much else is a tolerance."""
    if _bare(pair.original) == _bare(pair.paraphrase):
        return Evidence("the original again")
    one, other = _prose(pair.original), _prose(pair.paraphrase)
    if len(one) < tolerances.near_copy_words:
        return None
    changed = _changed_share(one, other)
    if changed >= tolerances.least_changed:
        return None
    return Evidence(f"only {changed:.0%} of its wording is changed")


def right_length(pair: Pair, tolerances: Tolerances) -> Evidence | None:
    """Neither a fraction of the original's words nor many times as many; figures do not count."""
    before, after = len(pair.original.tokens), len(pair.paraphrase.tokens)
    if after < tolerances.least_length * before - tolerances.spare_tokens:
        return Evidence(f"{after} words and signs for {before}: too short")
    if after > tolerances.most_length * before + 10 * tolerances.spare_tokens:
        return Evidence(f"{after} words and signs for {before}: too long")
    return None


def not_truncated(pair: Pair, _: Tolerances) -> Evidence | None:
    """It does not break off: the last sentence ends, unless it is a list, a table or a formula as in the original."""
    text = pair.paraphrase.text.rstrip()
    if not text:
        return None
    last_line = text[text.rfind("\n") + 1 :].lstrip()[:_LONGEST_LINE]
    if _LIST_LINE.search(last_line) and "\n" in text:
        return None
    last = next((token for token in reversed(pair.paraphrase.tokens) if token.kind != "break"), None)
    hangs = last is not None and last.kind == "word" and last.text in _HANGING and not last.math
    if not hangs and (not _OPEN_END.search(text) or _OPEN_END.search(pair.original.text.rstrip())):
        return None
    tail = " ".join(text[-30:].split())
    return Evidence(f"breaks off: …{tail}", (), (Span(max(0, len(text) - 30), len(text)),))


def _bare(reading: TextReading) -> list[str]:
    return [
        unicodedata.normalize("NFKC", token.text).casefold()
        for token in reading.tokens
        if token.kind != "break" and (token.kind != "sign" or token.math) and token.text not in ("{", "}")
    ]


def _prose(reading: TextReading) -> list[str]:
    return [token.text for token in reading.tokens if token.kind == "word" and not token.math]


def _changed_share(one: list[str], other: list[str]) -> float:
    """How many of the pairs of neighbouring words of the longer text are not in the other, as a share."""
    pairs, others = Counter(pairwise(one)), Counter(pairwise(other))
    return 1 - (pairs & others).total() / max(pairs.total(), others.total(), 1)
