"""Check units of measure: no unit takes the place of another."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.reading import Span, read_text
from reward_service.domain.paraphrases.tokens import TextToken
from reward_service.domain.paraphrases.vocabulary import word_set
from reward_service.domain.units import UNITS as ALL_UNITS
from reward_service.domain.units import Unit

_SHORT = word_set("mm cm dm km ft yd mi mg kg lb oz ml")
"""Symbols that are no words: of the others only names count, and a few letters right behind a number."""
_ADVERBS: Mapping[str, str] = MappingProxyType(
    {"hourly": "h", "daily": "day", "weekly": "week", "monthly": "month"}
    | dict.fromkeys(("yearly", "annual", "annually"), "year")
)
_LETTERS: Mapping[str, str] = MappingProxyType({"m": "meter", "g": "gram", "h": "hour", "s": "second", "in": "inch"})
"""Only right behind a number: a letter may be anything."""
_BEHIND = word_set("and apart away by deep from high in is long of per square tall to wide")
_BETWEEN = word_set("- square cubic more additional further } $")
_AMBIGUOUS = frozenset({"second", "min", "mi", "pound", "cup", "cups"})


class Measured(NamedTuple):
    """A unit in a text, with the number in front of it, if there is one."""

    unit: Unit
    value: Fraction | None
    start: int
    end: int


def _units() -> dict[str, Unit]:
    units = {unit.symbol: unit for unit in ALL_UNITS if unit.measures}
    return (
        {word: unit for unit in units.values() for word in unit.spellings}
        | {symbol.lower(): unit for symbol, unit in units.items() if symbol.lower() in _SHORT or len(symbol) > 2}
        | {word: units[symbol] for word, symbol in _ADVERBS.items()}
    )


UNITS: Mapping[str, Unit] = MappingProxyType(_units())


def measured(tokens: Sequence[TextToken], mentions: Sequence[Mention]) -> list[Measured]:
    """Return the units of a text, in order."""
    numbers = {mention.end: mention.value for mention in mentions}
    following = {mention.start: mention.value for mention in mentions}
    found: list[Measured] = []
    for at, token in enumerate(tokens):
        if token.text in ("$", "\\$") and at + 1 < len(tokens) and tokens[at + 1].start in following:
            found.append(Measured(UNITS["dollar"], following[tokens[at + 1].start], token.start, token.end))
            continue
        letter = token.text in _LETTERS and _stands_alone(tokens, at)
        unit = UNITS.get(_LETTERS[token.text] if letter else token.text)
        if unit is None:
            continue
        value = _number_before(tokens, at, numbers)
        if value is not None or not (letter or token.text in _AMBIGUOUS):
            found.append(Measured(unit, value, token.start, token.end))
    return found


def _number_before(tokens: Sequence[TextToken], at: int, numbers: Mapping[int, Fraction]) -> Fraction | None:
    """Return 5 of "5 feet", "5-foot", "5 more feet" and "5 square feet"."""
    here = at - 1
    while here >= 0 and tokens[here].text in _BETWEEN:
        here -= 1
    return numbers.get(tokens[here].end) if here >= 0 else None


def _stands_alone(tokens: Sequence[TextToken], at: int) -> bool:
    r"""Return whether a unit is one: 8 m and 8\text{ m}, but neither 8m of a formula nor 8 in the lead."""
    if tokens[at].kind == "letter":
        return False
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    if (
        tokens[at].text != "in"
        and at
        and tokens[at - 1].kind == "number"
        and tokens[at].start == tokens[at - 1].end + 1
    ):
        return True
    return tokens[at].math or following is None or following.kind in ("sign", "break") or following.text in _BEHIND


_STORY = frozenset({"time", "money"})
"""What stories use as they like: "each day", "last week", "a 50-cent coin"."""


def units_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a number with another unit of the same kind, and to a unit that another one has replaced.

    What was converted is kept: 90 minutes for 1.5 hours. So is what only tells a story: "each day", "last week". And
    feet may take the place of inches wherever these stand, unless the answer is in inches.
    """
    before = measured(pair.original.tokens, pair.original.mentions)
    after = measured(pair.paraphrase.tokens, pair.paraphrase.mentions)
    in_answer = {each.unit.measures for each in _measured_in(pair.ground_truth)}
    exchanged = _exchanged(before, after) - in_answer
    before, after = ([each for each in units if each.unit.measures not in exchanged] for units in (before, after))
    return _renamed(before, after) or _replaced(before, after) or _mixed(before, after)


def _measured_in(answer: str | None) -> Sequence[Measured]:
    reading = read_text(answer or "")
    return measured(reading.tokens, reading.mentions)


def _exchanged(before: Sequence[Measured], after: Sequence[Measured]) -> set[str]:
    """Return the measures that have one unit throughout the original, and another throughout the paraphrase."""
    there, here = _by_measure(before), _by_measure(after)
    return {kind for kind, old in there.items() if kind in here and kind != "angle" and _is_renaming(old, here[kind])}


def _is_renaming(old: Sequence[Measured], new: Sequence[Measured]) -> bool:
    """Return whether each unit of the one text is another one in the other, by the numbers that it stands with."""
    units, others = {each.unit for each in old}, {each.unit for each in new}
    if len(units) == len(others) == 1:
        return True
    others_of: dict[Fraction | None, set[Unit]] = {}
    for other in new:
        others_of.setdefault(other.value, set()).add(other.unit)
    names = {(one.unit, each) for one in old if one.value is not None for each in others_of.get(one.value, ())}
    pairs = len(names) == len({one for one, _ in names}) == len({other for _, other in names})
    return pairs and len(names) == len(units) == len(others) and units.isdisjoint(others)


def _by_measure(units: Sequence[Measured]) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {}
    for each in units:
        found.setdefault(each.unit.measures, []).append(each)
    return found


def _renamed(before: Sequence[Measured], after: Sequence[Measured]) -> Evidence | None:
    """Find a number with a unit of the same kind in each text, but not the same unit."""
    come = {(each.unit.measures, each.value): each for each in _less(after, before)}
    for old in _less(before, after):
        new = come.get((old.unit.measures, old.value))
        if new is not None and new.unit != old.unit:
            return _evidence(old, [new])
    return None


def _replaced(before: Sequence[Measured], after: Sequence[Measured]) -> Evidence | None:
    """Find a unit that is gone, and only others of its kind in its place."""
    names, others = {each.unit for each in before}, {each.unit for each in after}
    amounts = {_amount(each) for each in before if each.value is not None}
    come = [each for each in after if each.unit not in names and each.unit.measures not in _STORY]
    converted = {each.unit.measures for each in come if each.value is not None and _amount(each) in amounts}
    for old in before:
        if old.unit not in others and old.unit.measures not in converted:
            new = [each for each in come if each.unit.measures == old.unit.measures]
            if new:
                return _evidence(old, new)
    return None


def _mixed(before: Sequence[Measured], after: Sequence[Measured]) -> Evidence | None:
    """Find two units of a kind side by side, where the original measures nothing of that kind: 4 meters and 3 miles."""
    kinds = _STORY | {each.unit.measures for each in before}
    seen: dict[str, Measured] = {}
    for each in after:
        if each.unit.measures in kinds or each.value is None:
            continue
        first = seen.setdefault(each.unit.measures, each)
        if first.unit != each.unit:
            words = f"{first.unit.name} beside {each.unit.name}"
            return Evidence(words, (), (Span(first.start, first.end), Span(each.start, each.end)))
    return None


def _less(units: Iterable[Measured], others: Iterable[Measured]) -> list[Measured]:
    """Return the units with a number that the others have less often."""
    there = Counter((each.unit, each.value) for each in others)
    left: list[Measured] = []
    for each in units:
        if each.value is not None:
            there[each.unit, each.value] -= 1
            if there[each.unit, each.value] < 0:
                left.append(each)
    return left


def _amount(measured: Measured) -> tuple[str, Fraction | None]:
    """Return the amount in the smallest unit of the measure."""
    value = measured.value
    return measured.unit.measures, None if value is None else value * measured.unit.size


def _evidence(old: Measured, come: Sequence[Measured]) -> Evidence:
    number = f"{old.value} " if old.value is not None and old.value == come[0].value else ""
    words = f"{number}{old.unit.name} became {number}{come[0].unit.name}"
    return Evidence(words, (Span(old.start, old.end),), tuple(Span(each.start, each.end) for each in come))
