"""Check quantities: each number of one text is in the other, in digits, in words, as a fraction or percentage."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from reward_service.domain.paraphrases.checks.replaced import SMALL, counted, took_places
from reward_service.domain.paraphrases.counted_numbers import CoveredNumbers, assignments
from reward_service.domain.paraphrases.derived import follows_from_its_neighbours, worked_out
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.reading import Span, TextReading
from reward_service.domain.paraphrases.titles import title_end

_SHOWN = 4
_LABELS = 9
_IDLE = frozenset({Fraction(0), Fraction(1)})
"""Numbers that come and go with the wording: "is zero", "one of"."""
_MOST_COMPARED = 40
_YEARS = range(1500, 2101)
_DATED = re.compile(r"\b(?:[Ii]n|[Ss]ince|until|during|year|the|[A-Z][a-z]{2,8} \d{1,2},) $")
_DATE_CHARS = 16
_MONTHS = "Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
_DAY = re.compile(rf"\b(?:{_MONTHS}|Nov(?:ember)?|Dec(?:ember)?)\.? $")
_YEAR_BEHIND = re.compile(r",? (?:1[5-9]|20)\d\d\b")
_DAY_OF_THE_YEAR = re.compile(r" day of (?:the|that) year\b")
_SPACES = frozenset({Fraction(2), Fraction(3)})
"""In "2D" and "3D"."""
_DECIMAL = Fraction(10)
_BASE = re.compile(r"(?:\b[Bb]ase[\s~$-]{1,3}|_\{?)$")
_TITLED = re.compile(r"\b(?:AMC|AIME|AHSME|Chapter|Exercise|Figure|Lesson|Problem|Section|Theorem)[\s~$]{1,3}$")


def numbers_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a number of the original that another one has replaced.

    A small number, or one in words, counts only against another: "the six sums" may go, and "the three sides" may
    come, but "four cans" may not become "five cans". What is only worked out is kept: 216 for 180 + 36.
    """
    found = _numbers(pair)
    return found.evidence(pair) if found is not None and _is_sure(pair, found) else None


def numbers_told(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a number that is lost or new without another one in its place: it may be said in words."""
    found = _numbers(pair)
    return found.evidence(pair) if found is not None and not _is_sure(pair, found) else None


@dataclass(frozen=True, slots=True)
class _Found:
    """Numbers that are lost and numbers that have come, with what is said of them where it is more than that."""

    lost: list[Mention]
    come: list[Mention]
    words: str = ""
    certain: bool = False

    def evidence(self, pair: Pair) -> Evidence:
        said = [_listed(pair.original, self.lost, "is missing"), _listed(pair.paraphrase, self.come, "is new")]
        words = self.words or "; ".join(part for part in said if part)
        return Evidence(words, _spans(self.lost), _spans(self.come))


def _is_sure(pair: Pair, found: _Found) -> bool:
    return found.certain or took_places(pair, found.lost, found.come)


def _numbers(pair: Pair) -> _Found | None:
    original, paraphrase = pair.original, pair.paraphrase
    missing = _unaccounted(original, paraphrase.accounts, _end(original, paraphrase))
    new = _unaccounted(paraphrase, original.accounts, _end(paraphrase, original))
    if worked_out(original.mentions, paraphrase.mentions, missing, new):
        return None
    lost = [each for each in missing if each.digits and each.size > SMALL]
    come = [each for each in new if each.digits and each.size > SMALL]
    if not come and not _more_often(paraphrase, original):
        lost = _telling(original, lost)
    if not lost and not _more_often(original, paraphrase):
        come = _telling(paraphrase, come)
    if not (lost or come):
        lost, come = _changed(missing, new)
    if not (lost or come):
        return (
            _given_otherwise(original, paraphrase)
            or _swapped(original, paraphrase)
            or _small_change(original, paraphrase, new)
        )
    return _Found(lost, come)


def _unaccounted(reading: TextReading, there: CoveredNumbers, end: int) -> list[Mention]:
    """Return the numbers of a text that the other one does not say, except those that need not be kept."""
    found: list[Mention] = []
    covered: dict[object, bool] = {}
    begin = title_end(reading.text)
    for at, mention in enumerate(reading.mentions):
        if at in reading.loose or not begin <= mention.start < end or (mention.label and mention.value <= _LABELS):
            continue
        written = reading.text[mention.start : mention.end], mention.values, mention.within
        if written not in covered:
            covered[written] = there.cover(mention)
        if not covered[written] and not _names(reading, mention):
            found.append(mention)
    return found


def _names(reading: TextReading, mention: Mention) -> bool:
    """Return whether a number only dates, or is part of a name: "in 2006", "the 284th day of the year", "the AMC 8"."""
    before = reading.text[max(0, mention.start - _DATE_CHARS) : mention.start]
    if _DAY.search(before) is not None and _YEAR_BEHIND.match(reading.text, mention.end) is not None:
        return True
    if _DAY_OF_THE_YEAR.match(reading.text, mention.end) is not None:
        return True
    if mention.value.denominator == 1 and mention.value.numerator in _YEARS and _DATED.search(before) is not None:
        return True
    if mention.value in _SPACES and reading.text[mention.end : mention.end + 1] == "D":
        return True
    return _TITLED.search(before) is not None or (mention.value == _DECIMAL and _BASE.search(before) is not None)


def _end(reading: TextReading, other: TextReading) -> int:
    """Return where the numbers that count end: before the choices, if the other text offers none."""
    return reading.choices if other.choices >= _last(other) else _last(reading) + 1


def _last(reading: TextReading) -> int:
    return reading.tokens[-1].end if reading.tokens else 0


def _more_often(reading: TextReading, other: TextReading) -> bool:
    """Return whether a text says a number that is not small more often than the other does."""
    return any(value > SMALL for value in counted(reading) - counted(other))


def _telling(reading: TextReading, mentions: list[Mention]) -> list[Mention]:
    """Return the numbers that do not follow from the numbers beside them."""
    places = {each.start: at for at, each in enumerate(reading.mentions)}
    return [each for each in mentions if not follows_from_its_neighbours(reading.mentions, places[each.start])]


def _changed(missing: list[Mention], new: list[Mention]) -> tuple[list[Mention], list[Mention]]:
    """Find digits that are gone with digits that have come, or one number in words for one other."""
    in_digits = _of_kind(missing, digits=True), _of_kind(new, digits=True)
    if all(in_digits):
        return in_digits
    gone, come = (_of_kind(each, digits=False) for each in (missing, new))
    plain = [each for each in (*gone, *come) if each.value > 2 and not each.parts]
    return (gone, come) if len(gone) == len(come) == 1 and len(plain) == 2 else ([], [])


def _swapped(original: TextReading, paraphrase: TextReading) -> _Found | None:
    """Find one number once less and another once more, where all the others stand as often as before."""
    before, after = counted(original), counted(paraphrase)
    lost, come = before - after, after - before
    if lost.total() != 1 or come.total() != 1:
        return None
    (gone,), (new,) = lost, come
    if not _IDLE.isdisjoint((gone, new)) and abs(gone - new) > 1:
        return None
    if any(
        each.start < title_end(text.text) or _names(text, each)
        for text, value in ((original, gone), (paraphrase, new))
        for each in _of_value(text, value)
    ):
        return None
    if _spelt(paraphrase, gone) > _spelt(original, gone) or _spelt(original, new) > _spelt(paraphrase, new):
        return None
    if gone in paraphrase.implied - original.implied or new in original.implied - paraphrase.implied:
        return None
    old, other = _of_value(original, gone), _of_value(paraphrase, new)
    if all(original.in_example(each.start) for each in old) and all(
        paraphrase.in_example(each.start) for each in other
    ):
        return None
    if any(_same(each, one) or _same(one, each) for each in old for one in other):
        return None
    words = f"{_short(gone)} stands once less, {_short(new)} once more"
    return _Found(old, other, words)


def _same(one: Mention, other: Mention) -> bool:
    """Return whether another number says the same: 36 of 3 dozen, up to 99 of less than 100."""
    return other.value in one.values or (other.within is None and other.value == one.within)


def _small_change(original: TextReading, paraphrase: TextReading, new: list[Mention]) -> _Found | None:
    """Find a small number that the original says in no way, where another number stands less often than there."""
    come = [each for each in new if each.digits and each.value > 1]
    gone = [each for each in (counted(original) - counted(paraphrase)) if each > 1]
    if len(come) != 1 or len(gone) != 1 or _spelt(paraphrase, gone[0]) > _spelt(original, gone[0]):
        return None
    words = f"{_short(gone[0])} stands less often, {_short(come[0].value)} is new"
    return _Found(_of_value(original, gone[0]), come, words)


def _given_otherwise(original: TextReading, paraphrase: TextReading) -> _Found | None:
    """Find a letter that is one number in the one text, and another in the other."""
    before = assignments(original.tokens, original.mentions)
    after = assignments(paraphrase.tokens, paraphrase.mentions)
    for letter, there in before.items():
        here = after.get(letter, [])
        gone, come = _not_among(there, here), _not_among(here, there)
        if len(gone) == len(come) == 1:
            words = f"{letter} = {_short(gone[0].value)} became {letter} = {_short(come[0].value)}"
            return _Found(gone, come, words, certain=True)
    return None


def _not_among(mentions: list[Mention], others: list[Mention]) -> list[Mention]:
    """Return one of each number that none of the others may mean."""
    values = {value for each in others for value in (*each.values, *each.parts)}
    left = {each.value: each for each in mentions if values.isdisjoint((*each.values, *each.parts))}
    return list(left.values())


def _spelt(reading: TextReading, value: Fraction) -> int:
    """Return how often a text says a number in words."""
    return sum(each.value == value for each in reading.mentions if not each.digits)


def _of_value(reading: TextReading, value: Fraction) -> list[Mention]:
    return [each for each in reading.mentions if value in (each.value, *each.parts)][:_MOST_COMPARED]


def _of_kind(mentions: Iterable[Mention], *, digits: bool) -> list[Mention]:
    return [each for each in mentions if each.digits == digits]


def _listed(reading: TextReading, mentions: list[Mention], what: str) -> str:
    texts = list(dict.fromkeys(" ".join(reading.text[each.start : each.end].split()) for each in mentions))
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return f"{', '.join(texts[:_SHOWN])}{more} {what}" if texts else ""


def _short(value: Fraction) -> str:
    return str(value)[:20]


def _spans(mentions: Iterable[Mention]) -> tuple[Span, ...]:
    return tuple(Span(each.start, each.end) for each in mentions)
