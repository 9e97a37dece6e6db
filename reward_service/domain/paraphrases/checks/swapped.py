"""Check that quantities stand where they stood: no two have changed places."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from types import MappingProxyType
from typing import NamedTuple

from reward_service.domain.paraphrases.formulas import LETTER, SIGN, Piece
from reward_service.domain.paraphrases.lexicon import COUNTERPARTS, SIGNS
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.reading import Span, TextReading
from reward_service.domain.paraphrases.tokens import TextToken, sentences_of
from reward_service.domain.paraphrases.vocabulary import FUNCTION_WORDS, stem, word_set

_WINDOW = 8
_SMALL = 3
_MOST_SLOTS = 24
_NO_COUNTERPARTS: Mapping[str, float] = MappingProxyType({})
_TELLING = word_set("from to than each per more less first between")
"""Function words that tell one quantity from another."""
_SAME_SIGN, _SAME_LETTER, _COUNTERPART, _NUMBER = 0.5, 0.9, 1.5, 0.7
_SAME_ORDER = 0.3
"""What the same place among all quantities says."""
_RANGE = re.compile(
    r"\b(?:(?<!difference )(?<!distance )between|(?:integers?|numbers?) from)[\s$\\(]{1,4}(\d{1,12})"
    r"[\s$\\)]{1,4}(?:to|and|through)[\s$\\(]{1,4}(\d{1,12})(?![\d.,]*\d|:)"
)
"""Numbers between which others are: "between 100 and 500", "an integer from 91 to 100"."""
_LEAST, _LEAST_WORDS = 0.45, 0.1
"""By how much two quantities must fit each other's places better than their own, with and without their order."""


class _Item(NamedTuple):
    """A word, letter, sign or number near a quantity; nearer ones weigh more."""

    kind: str
    text: str | Fraction
    weight: float


class _Slot(NamedTuple):
    """A quantity, the word behind it, and what stands around it in its sentence; `place` is its share of the text."""

    mention: Mention
    around: Sequence[_Item]
    place: float
    noun: str


class _Fit(NamedTuple):
    """How well a quantity's surroundings fit those of one of the original: by words, by order, and by each number."""

    value: Fraction
    words: float
    order: float
    numbers: Sequence[tuple[Fraction, float]]


class _Gain(NamedTuple):
    """How much better a quantity fits the place of another than its own, with its order and without."""

    all: float
    words: float


def quantities_in_place(pair: Pair, _tolerances: Tolerances) -> Evidence | None:
    """Object to two quantities that fit each other's places of the original, by the words and letters around them.

    Object as well to a range that begins above its end, where no range of the original does.
    """
    return _backwards(pair) or _in_each_others_places(pair)


def _backwards(pair: Pair) -> Evidence | None:
    there, here = (
        [found for found in _RANGE.finditer(text.text) if int(found[1]) > int(found[2])]
        for text in (pair.original, pair.paraphrase)
    )
    if there or not here:
        return None
    return Evidence(f"{here[0].group()} begins above its end", (), (Span(*here[0].span()),))


def _in_each_others_places(pair: Pair) -> Evidence | None:
    before, after = _slots(pair.original), _slots(pair.paraphrase)
    kept_terms = list(_kept_terms(pair))
    after = [slot for slot in after if _counts(slot.mention) and not _inside(slot.mention, kept_terms)]
    names = _renamed(pair.original, pair.paraphrase)
    fits = [_fits(slot, before, names) for slot in after]
    counted, others = (Counter(slot.mention.value for slot in slots) for slots in (before, after))
    listed = [*_listed(pair.original)]
    worst: tuple[float, _Slot, _Slot] | None = None
    for (one, here), (other, there) in combinations(zip(after, fits, strict=True), 2):
        value, rival = one.mention.value, other.mention.value
        kept = counted[value] == others[value] and counted[rival] == others[rival]
        if value == rival or not kept or any({value, rival} <= run for run in listed):
            continue
        if _counts_the_same(one, other, before) or _counts_the_same(other, one, before):
            continue
        gains = _gain(here, value, rival), _gain(there, rival, value)
        if min(gain.all for gain in gains) < 0 or sum(gain.words for gain in gains) < _LEAST_WORDS:
            continue
        gain = sum(gain.all for gain in gains)
        if gain > (worst[0] if worst else _LEAST):
            worst = gain, one, other
    if worst is None:
        return None
    _, one, other = worst
    spans = tuple(Span(each.mention.start, each.mention.end) for each in (one, other))
    shown = " and ".join(pair.paraphrase.text[span.start : span.end] for span in spans)
    return Evidence(f"{shown} changed places", (), spans)


def _listed(reading: TextReading) -> Iterator[set[Fraction]]:
    """Yield quantities that may stand in another order: those of a list, and of a sentence with "respectively"."""
    for run in reading.runs:
        yield {reading.mentions[at].value for at in run}
    for sentence in sentences_of(reading.tokens):
        if any(token.text == "respectively" for token in sentence):
            start, end = sentence[0].start, sentence[-1].end
            yield {each.value for each in reading.mentions if start <= each.start < end}


def _counts_the_same(slot: _Slot, rival: _Slot, before: Sequence[_Slot]) -> bool:
    """Return whether a quantity is followed by the noun that it had, and that the other one had not: 30 years."""
    own, others = (
        {word for each in before if each.mention.value == of.mention.value for word in _with_counterparts(each.noun)}
        for of in (slot, rival)
    )
    return slot.noun in own and slot.noun not in others and slot.noun != ""


def _with_counterparts(word: str) -> Iterator[str]:
    yield word
    yield from COUNTERPARTS.get(word, ())


def _kept_terms(pair: Pair) -> Iterator[Piece]:
    """Yield the terms of formulas that both texts have, in any order: 2x of 5x + 2x."""
    there = {(_unsigned(term), term.numbers) for term in (*pair.original.terms, *pair.original.groups)}
    for term in (*pair.paraphrase.terms, *pair.paraphrase.groups):
        shape = _unsigned(term)
        if len(shape) > 1 and LETTER in shape and "(" not in shape and (shape, term.numbers) in there:
            yield term


def _unsigned(term: Piece) -> tuple[str, ...]:
    return term.skeleton[term.skeleton[:1] == (SIGN,) :]


def _counts(mention: Mention) -> bool:
    """Return whether a number may have changed places: not 1, and not "two" of a story."""
    return mention.value > (1 if mention.digits else _SMALL)


def _inside(mention: Mention, terms: Sequence[Piece]) -> bool:
    return any(term.start <= mention.start < term.end for term in terms)


def _gain(fits: Sequence[_Fit], value: Fraction, rival: Fraction) -> _Gain:
    own, its = (max(_sums(fits, each, {value, rival}), default=(0.0, 0.0)) for each in (value, rival))
    return _Gain(its[0] - own[0], its[1] - own[1])


def _sums(fits: Sequence[_Fit], value: Fraction, pair: set[Fraction]) -> Iterator[tuple[float, float]]:
    """Yield the fits to the places of a value; that the two numbers of a pair stand near each other tells nothing."""
    for fit in fits:
        if fit.value == value:
            words = fit.words + sum(weight for number, weight in fit.numbers if number not in pair)
            yield words + fit.order, words


def _fits(slot: _Slot, before: Sequence[_Slot], names: Mapping[str, str]) -> list[_Fit]:
    """Return how a quantity's surroundings fit those of each quantity of the original."""
    found: list[_Fit] = []
    for other in before:
        words = 0.0
        numbers: list[tuple[Fraction, float]] = []
        for item in other.around:
            weight = item.weight * _best(item, slot.around, names)
            if isinstance(item.text, Fraction):
                numbers.append((item.text, _NUMBER * weight))
            else:
                words += weight
        order = _SAME_ORDER * max(0.0, 1 - 3 * abs(slot.place - other.place))
        found.append(_Fit(other.mention.value, words, order, numbers))
    return found


def _best(item: _Item, around: Sequence[_Item], names: Mapping[str, str]) -> float:
    """Return how well the best of some surroundings fits an item of the original."""
    text = names.get(str(item.text), item.text) if item.kind == "letter" else item.text
    counterparts = COUNTERPARTS.get(str(text), _NO_COUNTERPARTS) if item.kind in ("word", "sign") else _NO_COUNTERPARTS
    best = 0.0
    for other in around:
        if other.kind == item.kind and other.text == text:
            same = _SAME_SIGN if item.kind == "sign" else _SAME_LETTER if item.kind == "letter" else 1.0
        elif other.kind == "word" and other.text in counterparts:
            same = min(1.0, _COUNTERPART * counterparts[str(other.text)])
        else:
            continue
        best = max(best, same * other.weight)
    return best


def _renamed(original: TextReading, paraphrase: TextReading) -> Mapping[str, str]:
    """Return the new names of letters by their order, where the texts have as many letters and not the same."""
    old, new = (
        list(dict.fromkeys(token.text for token in reading.tokens if token.kind == "letter"))
        for reading in (original, paraphrase)
    )
    return dict(zip(old, new, strict=True)) if len(old) == len(new) and set(old) != set(new) else {}


def _slots(reading: TextReading) -> list[_Slot]:
    items = list(_items(reading))
    places = [at for at, (_, mention) in enumerate(items) if mention is not None][:_MOST_SLOTS]
    found: list[_Slot] = []
    for order, at in enumerate(places):
        mention = items[at][1]
        if mention is not None and mention.values and not mention.label:
            around = [*_side(items, at, -1), *_side(items, at, 1)]
            behind = items[at + 1][0] if at + 1 < len(items) else None
            noun = str(behind.text) if behind is not None and behind.kind == "word" else ""
            found.append(_Slot(mention, around, order / max(len(places) - 1, 1), noun))
    return found


_Read = tuple[_Item, Mention | None]


def _side(items: Sequence[_Read], at: int, step: int) -> Iterator[_Item]:
    for away in range(1, _WINDOW + 1):
        here = at + step * away
        if not 0 <= here < len(items) or items[here][0].kind == "end":
            return
        yield items[here][0]._replace(weight=1 / (1 + away))


def _items(reading: TextReading) -> Iterator[_Read]:
    """Yield what a text says that tells its quantities apart, with the quantities themselves."""
    mentions = {each.start: each for each in reading.mentions}
    end = 0
    for token in reading.tokens:
        if token.start < end:
            continue
        mention = mentions.get(token.start)
        if mention is not None:
            end = mention.end
            yield _Item("number", mention.value, 0.0), mention
        elif (kind := _kind(token)) is not None:
            text = stem(token.text.removesuffix("'s")) if kind == "word" else token.text
            yield _Item(kind, text, 0.0), None


def _kind(token: TextToken) -> str | None:
    if token.kind == "word" and len(token.text) > 1:
        return "word" if token.text not in FUNCTION_WORDS or token.text in _TELLING else None
    if token.kind == "letter" or (token.kind == "word" and token.text != "a"):
        return "letter"
    if token.text in SIGNS:
        return "sign"
    return "end" if token.kind == "break" or (token.text in (".", "?", "!") and not token.math) else None
