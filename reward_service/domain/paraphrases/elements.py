"""Tell what a text says, element by element: its words, signs, numbers and letters, and how much each of them counts.

What only says how to answer does not count, and remarks, examples and lists that go on count less.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from reward_service.domain.paraphrases.lexicon import EXPECTED, MOST_TERMS, Term, terms_of
from reward_service.domain.paraphrases.reading import Span, TextReading
from reward_service.domain.paraphrases.titles import title_end
from reward_service.domain.paraphrases.tokens import TextToken, commands_of, sentences_of
from reward_service.domain.paraphrases.vocabulary import FUNCTION_WORDS, word_set

_FUNCTION_WORD, _SIGN, _NAME, _LETTER, _ASIDE = 0.5, 0.5, 0.25, 0.25, 0.25
"""The weight of a function word, a sign, a name, a letter, and of what stands in a remark or a list that goes on."""
_REPEATED = 0.5
"""A term weighs less each time it comes again: 1, 1/√2, 1/√3."""
_LONGEST_BRACKET, _LEAST_BRACKET = 120, 6
_FIRST = 2
"""Where a note says that it is one, behind a bracket or not."""
_SHORT = 8
"""A sentence of so few words may only point at a figure."""

_COMMANDS = word_set("express write give provide round enter state present report")
_ANSWERS = word_set("answer answers result solution solutions")
_NOTES = word_set("note recall remember reminder enter hint")
_FORMS = word_set("form format is should must written expressed")
_SHAPES = word_set("form notation")
_POINTING = word_set("see as one")
_SHOWN = word_set("shown figure diagram pictured illustrated picture")


LETTER = "$"
"""In front of a letter of a formula, which is no word."""


class Element(NamedTuple):
    """A word by its stem, a sign, a number or a letter: where it stands, its weight, and how often it came before."""

    text: str
    weight: float
    start: int
    end: int
    times: int = 1

    @property
    def news(self) -> float:
        """Return the weight of what a repeated element adds to what is already said."""
        return self.weight / self.times**_REPEATED


def elements_of(reading: TextReading) -> list[Element]:
    """Return what a text says in front of its choices; what only says how to answer does not count."""
    numbers = [each for each in reading.mentions if each.values and not each.label]
    found = [(each.start, each.end, f"#{each.value}", 1.0) for each in numbers]
    starts = {each.start for each in reading.mentions}
    common = {token.text for token in reading.tokens if token.kind == "word" and reading.text[token.start].islower()}
    terms = [term for term in terms_of(reading.tokens) if term.token.start not in starts]
    found += [(term.token.start, term.token.end, term.text, _weight(term, common)) for term in terms]
    letters = (token for token in reading.tokens if token.kind == "letter")
    found += [(token.start, token.end, f"{LETTER}{token.text}", _LETTER) for token in letters]
    idle, asides = (
        [Span(0, title_end(reading.text)), *_formats(reading)],
        _merged([*_asides(reading), *_series(reading)]),
    )
    seen: Counter[str] = Counter()
    elements: list[Element] = []
    for start, end, text, weight in sorted(found)[:MOST_TERMS]:
        if start >= reading.choices:
            break
        seen[text] += 1
        weight = 0.0 if _inside(start, idle) else weight * (_ASIDE if _inside(start, asides) else 1.0)
        elements.append(Element(text, weight, start, end, seen[text]))
    return elements


def _weight(term: Term, common: Collection[str]) -> float:
    """Return the weight of a term, less for what may be exchanged: names that only stand with a capital, and signs."""
    if term.token.kind != "word":
        return _SIGN
    if term.token.text in FUNCTION_WORDS:
        return _FUNCTION_WORD
    return 1.0 if term.token.text in common or term.text in EXPECTED else _NAME


def _inside(place: int, spans: Sequence[Span]) -> bool:
    at = bisect_left(spans, (place + 1,)) - 1
    return at >= 0 and place < spans[at].end


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same places in order, without overlaps."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(end, found[-1].end))
        else:
            found.append(Span(start, end))
    return found


def _formats(reading: TextReading) -> Iterator[Span]:
    """Yield what says in which form to answer: "express your answer as", "the answer is in the form"."""
    before = False
    for sentence in sentences_of(reading.tokens):
        first = _format(sentence, before=before)
        before = first is not None
        if first is not None:
            yield Span(sentence[first].start, sentence[-1].end)


def _format(sentence: Sequence[TextToken], *, before: bool) -> int | None:
    texts = [token.text for token in sentence]
    for at, text in enumerate(texts):
        if text in _COMMANDS and not _ANSWERS.isdisjoint(texts[at + 1 : at + 5]):
            return at
    told = texts[0] in ("the", "your") and not _ANSWERS.isdisjoint(texts[1:3]) and not _FORMS.isdisjoint(texts[2:8])
    written = texts[0] in _COMMANDS and not _SHAPES.isdisjoint(texts[-2:])
    points = len(texts) <= _SHORT and texts[0] in _POINTING and not _SHOWN.isdisjoint(texts)
    return 0 if told or written or points or (before and texts[:2] == ["please", "provide"]) else None


def _asides(reading: TextReading) -> Iterator[Span]:
    """Yield the remarks of a text: examples, longer texts in brackets, definitions of signs, and notes."""
    yield from (Span(*each) for each in reading.examples)
    opening = None
    for at, token in enumerate(reading.tokens):
        if token.text == "(" and not token.math:
            opening = at
        elif token.text == ")" and not token.math and opening is not None:
            if _LEAST_BRACKET <= at - opening <= _LONGEST_BRACKET:
                yield Span(reading.tokens[opening].start, token.end)
            opening = None
    noting = False
    for sentence in sentences_of(reading.tokens):
        texts = [token.text for token in sentence]
        noting = not _NOTES.isdisjoint(texts[:_FIRST]) or (
            noting and "?" not in texts and not any(True for _ in commands_of(sentence))
        )
        if noting or not {"denote", "denotes"}.isdisjoint(texts):
            yield Span(sentence[0].start, sentence[-1].end)


def _series(reading: TextReading) -> Iterator[Span]:
    """Yield lists of numbers of which some need not be told: 1 + 2 + ... + 9, {1, 2, 3, 4}."""
    for run in reading.runs:
        if not reading.loose.isdisjoint(run):
            yield Span(reading.mentions[run[0]].start, reading.mentions[run[-1]].end)


def sentence_count(reading: TextReading) -> int:
    """Count the sentences of a text, without those that say how to answer."""
    formats = sum(1 for _ in _formats(reading))
    return max(0, sum(len(each) > 3 for each in sentences_of(reading.tokens)) - formats)
