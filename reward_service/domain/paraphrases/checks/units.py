"""Units kept: no unit of measure takes another's place."""

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

from reward_service.domain.paraphrases.measures import Measured, Unit, measured
from reward_service.domain.paraphrases.pair import Evidence, Pair, Span, Tolerances
from reward_service.domain.paraphrases.reading import read_text

_THROUGHOUT = 2
"""How often a unit must stand for that it can be said to stand throughout."""
_STORY = frozenset({"time", "money"})
"""What stories use as they like: "each day", "last week", "a 50-cent coin"."""


def units_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """No number comes with another unit of the same kind, and no unit is gone that another has replaced.

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
    """What is measured in one unit throughout the original, and in another one throughout the paraphrase."""
    there, here = _by_measure(before), _by_measure(after)
    return {
        kind
        for kind, old in there.items()
        if len(here.get(kind, ())) >= _THROUGHOUT and len({*old}) == len({*here[kind]}) == 1
    }


def _by_measure(units: Sequence[Measured]) -> dict[str, list[Unit]]:
    found: dict[str, list[Unit]] = {}
    for each in units:
        found.setdefault(each.unit.measures, []).append(each.unit)
    return found


def _renamed(before: Sequence[Measured], after: Sequence[Measured]) -> Evidence | None:
    """One number with a unit of the same kind in each text, but not the same."""
    come = {(each.unit.measures, each.value): each for each in _less(after, before)}
    for old in _less(before, after):
        new = come.get((old.unit.measures, old.value))
        if new is not None and new.unit != old.unit:
            return _evidence(old, [new])
    return None


def _replaced(before: Sequence[Measured], after: Sequence[Measured]) -> Evidence | None:
    """A unit that is gone, and only others of its kind in its place."""
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
    """Two units of a kind side by side, where the original measures nothing of that kind: 4 meters and 3 miles."""
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
    """Those with a number that the others do not have as often."""
    there = Counter((each.unit, each.value) for each in others)
    left: list[Measured] = []
    for each in units:
        if each.value is not None:
            there[each.unit, each.value] -= 1
            if there[each.unit, each.value] < 0:
                left.append(each)
    return left


def _amount(measured: Measured) -> tuple[str, Fraction | None]:
    """How much it is of what it measures, in the smallest unit."""
    value = measured.value
    return measured.unit.measures, None if value is None else value * measured.unit.size


def _evidence(old: Measured, come: Sequence[Measured]) -> Evidence:
    number = f"{old.value} " if old.value is not None and old.value == come[0].value else ""
    words = f"{number}{old.unit.name} became {number}{come[0].unit.name}"
    return Evidence(words, (Span(old.start, old.end),), tuple(Span(each.start, each.end) for each in come))
