"""Define the results of graders, as they travel between processes, and summarise their times."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether two answers are equal, the CPU time of saying so (s), and what went wrong: undecided, error, timeout."""

    equal: bool
    cpu_s: float
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Voted:
    """The class of each answer by number, and the CPU time (s) of finding it: the first time, and once more.

    `asked` and `undecided` count the questions to a judge, for those that have one.
    """

    classes: tuple[int, ...]
    cold_s: float
    warm_s: float
    asked: int = 0
    undecided: int = 0


@dataclass(frozen=True, slots=True)
class Times:
    """Median, mean, 99th percentile and maximum."""

    count: int
    median: float
    mean: float
    p99: float
    worst: float

    @classmethod
    def of(cls, values: Sequence[float], unit: float) -> "Times":
        """Of seconds, in units of so many seconds."""
        if not values:
            return cls(0, 0.0, 0.0, 0.0, 0.0)
        ordered = sorted(value / unit for value in values)
        p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
        return cls(len(ordered), statistics.median(ordered), statistics.fmean(ordered), p99, ordered[-1])
