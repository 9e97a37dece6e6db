"""Check the text as a whole: form, length, language, LaTeX, and that it is of the same problem."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from reward_service.domain.paraphrases.lexicon import EXPECTED, UNKNOWN, supports, terms_of
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.reading import MOST_CHARS, Span, TextReading
from reward_service.domain.paraphrases.tokens import Kind
from reward_service.domain.paraphrases.vocabulary import content, word_set

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
    """Object to a paraphrase that is missing, or has a marker, a preamble or an apology around it."""
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
    """Object to a copy of the original, apart from signs, capitals and spaces; how much must differ is a tolerance."""
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
    """Object to a fraction of the original's words, and to many times as many; figures do not count."""
    before, after = len(pair.original.tokens), len(pair.paraphrase.tokens)
    if after < tolerances.least_length * before - tolerances.spare_tokens:
        return Evidence(f"{after} words and signs for {before}: too short")
    if after > tolerances.most_length * before + 10 * tolerances.spare_tokens:
        return Evidence(f"{after} words and signs for {before}: too long")
    return None


def not_truncated(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a last sentence without an end, unless it is a list, a table or a formula as in the original."""
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
    """Return the share of pairs of neighbouring words of the longer text that the other text does not have."""
    pairs, others = Counter(pairwise(one)), Counter(pairwise(other))
    return 1 - (pairs & others).total() / max(pairs.total(), others.total(), 1)


_COMMON: Mapping[str, frozenset[str]] = MappingProxyType({
    "English": word_set("the of and that is what how if are which find each with for many when value number to"),
    "Spanish": word_set("el los las una del que es cuál cuántos cuántas con por para de tiene hay formas mismo cuando"),
    "French": word_set("le les des une du que est quel quelle combien avec pour dans de aux il trouver valeur nombre"),
    "German": word_set("der die das und ist ein eine wie viele welche mit für wenn von den wert zahl bestimme sind"),
    "Portuguese": word_set("o os uma do da que é qual quantos quantas com para de em não quando valor número tem há"),
    "Italian": word_set("il gli uno della che è quale quanti quante con di nel quando trova valore numero ci sono"),
})  # fmt: skip
_LEAST_COMMON_WORDS = 8
_LEAST_SHARE = 0.15
_LEAST_COMMON = 3


def same_language(pair: Pair, tolerances: Tolerances) -> Evidence | None:
    """Object to letters of other scripts, and to the common words of another language in a text of many words."""
    before, after = _scripts(pair.original), _scripts(pair.paraphrase)
    letters = after.total()
    for script, count in after.items():
        if before[script] == 0 and count > tolerances.foreign_letters * letters:
            return Evidence(f"{count} of {letters} letters are {script.lower()}")
    old, new = _language(pair.original), _language(pair.paraphrase)
    if old and new and old != new:
        return Evidence(f"{new} instead of {old}")
    return None


def _scripts(reading: TextReading) -> Counter[str]:
    """Count the letters of the words by their scripts: LATIN, CJK, CYRILLIC."""
    counted: Counter[str] = Counter()
    for word in reading.words:
        if word.isascii():
            counted["LATIN"] += len(word)
        else:
            counted.update(unicodedata.name(letter, "OTHER").partition(" ")[0] for letter in word if letter.isalpha())
    return counted


def _language(reading: TextReading) -> str | None:
    """Return the language of a text's sentences: its formulas have none, nor have the letters that it names."""
    words = [word for word in _prose(reading) if len(word) > 1]
    if len(words) < _LEAST_COMMON_WORDS:
        return None
    counts = {name: sum(word in common for word in words) for name, common in _COMMON.items()}
    best, second = sorted(counts, key=lambda name: -counts[name])[:2]
    clear = counts[best] >= max(_LEAST_SHARE * len(words), 2 * counts[second], _LEAST_COMMON)
    return best if clear else None


_MARK = re.compile(
    r"\\\\|\\(?:begin|end)\s{0,4}\{[A-Za-z]{1,24}\*?\}|\\(?:left|right)(?![A-Za-z])|\\[\[\]()]|\\[{}$]|[{}]|\$\$?"
)
_NAMES = {"{": "a brace", "\\left": "\\left", "\\[": "\\[", "\\(": "\\(", "$": "a $", "$$": "a $$"}
_CLOSERS = {"}": "{", "\\right": "\\left", "\\]": "\\[", "\\)": "\\("}
_MONEY = re.compile(r"\$\$?\s?\d")


@dataclass(frozen=True, slots=True)
class _Defect:
    name: str
    at: int


def latex_balanced(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to an opening without its end, if the original closes all of its own."""
    there = {defect.name for defect in _defects(pair.original)}
    for defect in _defects(pair.paraphrase):
        if defect.name not in there:
            return Evidence(f"{defect.name} is not balanced", (), (Span(defect.at, defect.at + 1),))
    return None


def _defects(reading: TextReading) -> Iterator[_Defect]:
    """Return endings without an opening and openings without an end, each with its place."""
    opened: dict[str, list[int]] = {}
    paired = {
        place for segment in reading.segments if segment.kind is Kind.MATH for place in (segment.start, segment.end)
    }
    for at, mark in _marks(reading):
        if mark in ("$", "$$"):
            if at not in paired and at + len(mark) not in paired and not _MONEY.match(reading.text, at):
                yield _Defect(_NAMES[mark], at)
        elif mark.startswith("\\begin"):
            opened.setdefault(mark.replace("\\begin", "").strip(), []).append(at)
        elif mark.startswith("\\end") or mark in _CLOSERS:
            name = _CLOSERS.get(mark) or mark.replace("\\end", "").strip()
            if not opened.get(name):
                yield _Defect(_NAMES.get(name, f"environment {name}"), at)
            else:
                opened[name].pop()
        elif mark in _NAMES:
            opened.setdefault(mark, []).append(at)
    for name, places in opened.items():
        if places:
            yield _Defect(_NAMES.get(name, f"environment {name}"), places[-1])


def _marks(reading: TextReading) -> Iterator[tuple[int, str]]:
    figures = [segment for segment in reading.segments if segment.kind is Kind.FIGURE]
    figure = 0
    for mark in _MARK.finditer(reading.text):
        while figure < len(figures) and figures[figure].end <= mark.start():
            figure += 1
        if figure < len(figures) and figures[figure].start <= mark.start():
            continue
        if mark.group() not in ("\\\\", "\\{", "\\}", "\\$"):
            yield mark.start(), mark.group()


_LEAST_WORDS, _MANY_WORDS, _SURE_WORDS = 4, 5, 8
_LEAST_PIECE = 3
_HALF = 0.5
_SMALL = 3
"""Numbers up to this stand in every text."""


def same_problem(pair: Pair, tolerances: Tolerances) -> Evidence | None:
    """Object to few shared words and numbers, where the words that are there do not stand for each other either.

    A new story may change nearly all words, but not the numbers.
    """
    said, said_again = _said(pair.original), _said(pair.paraphrase)
    if min(len(said), len(said_again)) < _LEAST_WORDS:
        return None
    share, numbers = _dice(said, said_again), _shared_numbers(pair)
    if _support(pair) >= tolerances.least_support or _same_numerals(pair):
        return None
    if numbers is None:
        few = share < tolerances.least_words
        return Evidence(f"{share:.0%} of the words are shared, and no numbers tell more") if few else None
    short = min(len(said), len(said_again)) < _SURE_WORDS
    if share >= tolerances.least_words and (numbers > _HALF or (short and numbers > 0)):
        return None
    one_is_enough = share > 0 or min(len(said), len(said_again)) < _MANY_WORDS
    if numbers >= tolerances.least_numbers and (one_is_enough or _numbers_in_both(pair) > 1):
        return None
    return Evidence(f"{share:.0%} of the words and {numbers:.0%} of the numbers are shared")


def _support(pair: Pair) -> float:
    """Return how much better the original's words come back than usual, as a mean logarithm: below 0, worse."""
    terms = [term.text for term in terms_of(pair.original.tokens)]
    others = [term.text for term in terms_of(pair.paraphrase.tokens)]
    found = zip(terms, supports(terms, others), strict=True)
    return sum(support - EXPECTED.get(term, UNKNOWN) for term, support in found) / max(len(terms), 1)


def _same_numerals(pair: Pair) -> bool:
    """Return whether both texts hold the same numerals equally often, and more than one."""
    one, other = (
        Counter(mention.value for mention in reading.mentions if mention.digits)
        for reading in (pair.original, pair.paraphrase)
    )
    return one == other and one.total() > 1


def _numbers_in_both(pair: Pair) -> int:
    """Return how many different numbers both texts say, except small ones."""
    said, said_again = (
        {mention.value for mention in reading.mentions if mention.value > _SMALL}
        for reading in (pair.original, pair.paraphrase)
    )
    return len(said & said_again)


def _said(reading: TextReading) -> frozenset[object]:
    """Return the words and the shapes of formulas that tell one problem from another."""
    shapes = frozenset(piece.skeleton for piece in reading.pieces if len(piece.skeleton) >= _LEAST_PIECE)
    return content(reading.words) | shapes


def _dice(one: frozenset[object], other: frozenset[object]) -> float:
    """Return the share of two sets that they have in common."""
    return 2 * len(one & other) / max(len(one) + len(other), 1)


def _shared_numbers(pair: Pair) -> float | None:
    """Return the share of both texts' numbers that the other covers; None where all are small."""
    hits: list[bool] = []
    for reading, other in ((pair.original, pair.paraphrase), (pair.paraphrase, pair.original)):
        hits += [
            other.accounts.cover(mention)
            for at, mention in enumerate(reading.mentions)
            if mention.digits and mention.value > _SMALL and at not in reading.loose
        ]
    return sum(hits) / len(hits) if hits else None
