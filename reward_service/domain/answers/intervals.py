"""Unite, intersect and complement sets of real numbers by the places of their ends."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reward_service.domain.answers.numeric import real_value
from reward_service.domain.answers.shapes import Form, Quantity, Shape

CLOSE = 1e-9
MOST_INTERVALS = 512


@dataclass(frozen=True, slots=True)
class End:
    """An end of an interval: its place on the line, its expression, and whether the end belongs to the interval."""

    value: float
    shape: Shape
    closed: bool


Interval = tuple[End, End]
LineEnd = Callable[[int], Shape]
"""The shape of ∞ and of -∞."""


def spans(shape: Shape, line_end: LineEnd) -> list[Interval] | None:
    """Return a set of real numbers as disjoint intervals in order; None where an end is not known well enough."""
    if shape.key == "R":
        return whole_line(line_end)
    if not isinstance(shape, Form):
        return None
    if shape.tag == "union":
        return united(shape.parts, line_end)
    if shape.tag in ("()", "[]", "(]", "[)") and len(shape.parts) == 2:
        low, high = shape.parts
        pairs = [(_end(low, shape.tag[0] == "["), _end(high, shape.tag[1] == "]"))]
    elif shape.tag == "{" and len(shape.parts) <= MOST_INTERVALS:
        pairs = [(_end(point, True), _end(point, True)) for point in shape.parts]
    else:
        return None
    known = [(low, high) for low, high in pairs if low is not None and high is not None and low.value <= high.value]
    if len(known) < len(pairs):
        return None
    return _merged(known) if len(known) > 1 else known


def united(parts: Sequence[Shape], line_end: LineEnd) -> list[Interval] | None:
    """Return the union of sets with known ends, sorted and merged; None where an end is not known well enough."""
    intervals: list[Interval] = []
    for part in parts:
        found = spans(part, line_end)
        if found is None:
            return None
        intervals += found
    return _merged(intervals)


def intersected(sets: Sequence[list[Interval]], line_end: LineEnd) -> list[Interval] | None:
    """Return what all sets have in common: what no complement holds."""
    outside: list[Interval] = []
    for each in sets:
        outside += complement(each, line_end)
    merged = _merged(outside)
    return None if merged is None else complement(merged, line_end)


def complement(intervals: Sequence[Interval], line_end: LineEnd) -> list[Interval]:
    """Return the line without disjoint intervals, which are in order."""
    gaps: list[Interval] = []
    start = End(-math.inf, line_end(-1), False)
    for low, high in intervals:
        end = End(low.value, low.shape, not low.closed)
        point = start.shape.key == end.shape.key
        if low.value != -math.inf and (not point or (start.closed and end.closed)):
            gaps.append((start, end))
        start = End(high.value, high.shape, not high.closed)
    if start.value != math.inf:
        gaps.append((start, End(math.inf, line_end(1), False)))
    return gaps


def whole_line(line_end: LineEnd) -> list[Interval]:
    """Return all real numbers."""
    return complement([], line_end)


def is_whole_line(intervals: Sequence[Interval]) -> bool:
    """Return whether nothing is left out."""
    return len(intervals) == 1 and intervals[0][0].value == -math.inf and intervals[0][1].value == math.inf


def _merged(intervals: list[Interval]) -> list[Interval] | None:
    if len(intervals) > MOST_INTERVALS:
        return None
    intervals = sorted(intervals, key=lambda ends: (ends[0].value, not ends[0].closed))
    merged = intervals[:1]
    for low, high in intervals[1:]:
        first, last = merged[-1]
        if _too_close(low, last) or _too_close(high, last) or _too_close(low, first):
            return None
        touching = low.shape.key == last.shape.key
        if (touching and (low.closed or last.closed)) or (not touching and low.value < last.value):
            if high.shape.key == last.shape.key:
                last = End(last.value, last.shape, last.closed or high.closed)
            elif high.value > last.value:
                last = high
            merged[-1] = first, last
        else:
            merged.append((low, high))
    return merged


def _too_close(one: End, other: End) -> bool:
    """Return whether numbers cannot tell two ends apart though their expressions differ."""
    near = one.value == other.value or abs(one.value - other.value) < CLOSE * max(1.0, abs(one.value))
    return near and one.shape.key != other.shape.key


def _end(shape: Shape, closed: bool) -> End | None:
    if not isinstance(shape, Quantity) or not shape.complete:
        return None
    if shape.key in ("oo", "-1*oo"):
        return End(math.inf if shape.key == "oo" else -math.inf, shape, False)
    value = real_value(shape.terms)
    return None if value is None else End(value, shape, closed)
