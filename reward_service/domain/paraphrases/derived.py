"""Derive numbers from others: worked out in one text and left to do in the other."""

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations

from reward_service.domain.paraphrases.quantities import Mention

_MOST_OPERANDS = 6
_MOST_SQUARED = 10**9
_TRIVIAL = 3
_NEIGHBOURS = 2
_IDLE = frozenset({Fraction(0), Fraction(1)})
"""No operands of a sum: any number follows from its neighbour and 1."""
_WHOLE = Fraction(100)
_IN_A_ROW = ((-2, -1), (-1, 1), (1, 2))
"""What the neighbours of a number are more than it where all three stand in a row: 4 of 2, 3, 4."""


def worked_out(
    before: Sequence[Mention], after: Sequence[Mention], gone: Sequence[Mention], come: Sequence[Mention]
) -> bool:
    """Whether what has come is worked out from what is gone (119 for 7 · 17), or the other way round (2 · 3 for 6).

    An operand must stand less often than in the other text, or nowhere: it was used up. All that is gone must be.
    """
    less, more = _fewer(before, after), _fewer(after, before)
    return _follow(come or more, gone, less, before) or _follow(gone or less, come, more, after, only_put_together=True)


def follows_from_its_neighbours(mentions: Sequence[Mention], at: int) -> bool:
    """Whether a number says nothing beside the two that stand next to it: 20 of "20 members, 10 boys and 10 girls"."""
    value = mentions[at].value
    if value <= _TRIVIAL:
        return False
    near = [
        mentions[place].value
        for place in range(max(0, at - _NEIGHBOURS), min(len(mentions), at + _NEIGHBOURS + 1))
        if place != at
    ]
    if (0 < value < 1 and 1 - value in near) or (len(mentions[at].values) > 1 and _WHOLE - value in near):
        return True
    if any({value + one, value + other} <= {*near} for one, other in _IN_A_ROW):
        return True
    return any(
        value in (one + other, abs(one - other), one * other, max(one, other) / min(one, other))
        for one, other in combinations(near, 2)
        if min(one, other) > 1
    )


def _follow(
    results: Sequence[Mention],
    used: Sequence[Mention],
    also_used: Sequence[Mention],
    text: Sequence[Mention],
    *,
    only_put_together: bool = False,
) -> bool:
    """Whether each result follows from two numbers that were used up, or from a share and a number of the text.

    Squares and roots count where there are several: one number for one other is a change.
    """
    results, used = _busy(results), _busy(used)
    also_used = [each for each in _busy(also_used) if max(each.values) > _TRIVIAL or each.value < 1]
    operands = list({each.start: each for each in (*used, *also_used)}.values())
    if not results or len(results) > _MOST_OPERANDS or not 0 < len(operands) <= _MOST_OPERANDS:
        return False
    values = {each.value for each in operands}
    if len(results) > 1 and not any(values.isdisjoint(_powers(each.value)) for each in results):
        return True
    known = {each.value for each in text}
    left = {value for each in results for value in _unknown(each, known)}
    spent: set[int] = set()
    for one, other in _operations(operands, text):
        found = left.intersection(_put_together(one, other) if only_put_together else _of_two(one, other))
        if found:
            spent |= {one.start, other.start}
            left -= found
    return not left and spent.issuperset(each.start for each in used)


def _busy(mentions: Sequence[Mention]) -> list[Mention]:
    """Those that an operation may take: in digits, and not what goes without saying."""
    return [each for each in mentions if each.digits and not _IDLE.issuperset(each.values)]


def _unknown(result: Mention, known: set[Fraction]) -> Iterator[Fraction]:
    """What is to be explained of a number: 119 of 119/27, where 27 is there."""
    parts = [part for part in result.parts if part not in known]
    yield from parts if len(parts) < len(result.parts) else [result.value]


def _operations(operands: Sequence[Mention], text: Sequence[Mention]) -> Iterator[tuple[Mention, Mention]]:
    yield from combinations(operands, 2)
    for share in operands:
        if 0 < share.value < 1:
            yield from ((share, other) for other in text if other.start != share.start)


def _of_two(one: Mention, other: Mention) -> Iterator[Fraction]:
    yield from _put_together(one, other)
    for left, right in _choices(one, other):
        yield abs(left - right)


def _put_together(one: Mention, other: Mention) -> Iterator[Fraction]:
    for left, right in _choices(one, other):
        yield from (left + right, left * right)


def _choices(one: Mention, other: Mention) -> Iterator[tuple[Fraction, Fraction]]:
    """What two numbers may mean, but for what goes without saying."""
    for left in one.values:
        for right in other.values:
            if left not in _IDLE and right not in _IDLE:
                yield left, right


def _powers(value: Fraction) -> Iterator[Fraction]:
    """The square of a number, and its root where that is a number as well."""
    if _TRIVIAL < value < _MOST_SQUARED:
        yield value * value
        above, below = _root(value.numerator), _root(value.denominator)
        if above and below and above > _TRIVIAL:
            yield Fraction(above, below)


def _root(number: int) -> int | None:
    root = round(number**0.5)
    return root if root * root == number else None


def _fewer(mentions: Sequence[Mention], others: Sequence[Mention]) -> list[Mention]:
    """Those that the other text says less often."""
    there = Counter(each.value for each in others)
    found: list[Mention] = []
    for each in mentions:
        there[each.value] -= 1
        if there[each.value] < 0:
            found.append(each)
    return found
