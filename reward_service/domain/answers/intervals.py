"""Unions of intervals in one form: disjoint, in order, as few as possible."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from reward_service.domain.answers.probing import real_value
from reward_service.domain.answers.shapes import Form, Quantity, Shape

CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class End:
    """An end of an interval: where it is on the line, how it is written, and whether it belongs to it."""

    value: float
    shape: Shape
    closed: bool


Interval = tuple[End, End]


def united(parts: Sequence[Shape]) -> list[Interval] | None:
    """The union of intervals with known ends, sorted and merged; None where an end is not known well enough."""
    intervals: list[Interval] = []
    for part in parts:
        if not isinstance(part, Form):
            return None
        if part.tag in ("()", "[]", "(]", "[)") and len(part.parts) == 2:
            low, high = part.parts
            ends = _end(low, part.tag[0] == "["), _end(high, part.tag[1] == "]")
        elif part.tag == "{" and len(part.parts) == 1:
            ends = _end(part.parts[0], True), _end(part.parts[0], True)
        else:
            return None
        if ends[0] is None or ends[1] is None or ends[0].value > ends[1].value:
            return None
        intervals.append((ends[0], ends[1]))
    return _merged(sorted(intervals, key=lambda ends: (ends[0].value, not ends[0].closed)))


def all_but(points: Sequence[Shape], line_end: Callable[[int], Shape]) -> list[Interval] | None:
    """The line without some points, as open intervals; None where a point is not known well enough."""
    ends: list[End] = []
    for point in points:
        end = _end(point, False)
        if end is None:
            return None
        ends.append(end)
    ends.sort(key=lambda end: end.value)
    if any(high.value - low.value < CLOSE * max(1.0, abs(low.value)) for low, high in pairwise(ends)):
        return None
    line = [End(-math.inf, line_end(-1), False), *ends, End(math.inf, line_end(1), False)]
    return list(pairwise(line))


def _merged(intervals: list[Interval]) -> list[Interval] | None:
    merged = intervals[:1]
    for low, high in intervals[1:]:
        first, last = merged[-1]
        if low.shape.key != last.shape.key and abs(low.value - last.value) < CLOSE * max(1.0, abs(low.value)):
            return None  # too close to be told apart by numbers
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


def _end(shape: Shape, closed: bool) -> End | None:
    if not isinstance(shape, Quantity) or not shape.complete:
        return None
    if shape.key in ("oo", "-1*oo"):
        return End(math.inf if shape.key == "oo" else -math.inf, shape, False)
    value = real_value(shape.terms)
    return None if value is None else End(value, shape, closed)
