"""Estimate how fast series of samples grow: the slope of Theil and Sen, with an interval by a block bootstrap.

Samples are joined into bins by their median. The slope is the median of the slopes between all pairs of bins, which a
few disturbed bins do not move. Neighbouring bins are alike, so the interval comes from residuals that are drawn again
in blocks of neighbours, each block as long as two restarts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 60
LEAST_BINS = 12
DRAWS = 1000
LIKELY_PERCENT = (2.5, 97.5)
HOUR_S = 3600.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Slope:
    """How fast a series grows, per hour, with its 95 % interval; `level` is its median."""

    per_h: float
    low_per_h: float
    high_per_h: float
    level: float

    @property
    def is_flat(self) -> bool:
        """Whether it is not different from 0."""
        return self.low_per_h <= 0.0 <= self.high_per_h

    @property
    def share_per_h(self) -> float:
        """The slope as a share of the level."""
        return self.per_h / self.level if self.level else 0.0


def slope_of(at_s: Sequence[float], values: Sequence[float], block_s: float, seed: int = 0) -> Slope | None:
    """The slope of values at some times; None of too few."""
    times, medians = binned(np.asarray(at_s, dtype=np.float64), np.asarray(values, dtype=np.float64))
    if len(times) < LEAST_BINS:
        return None
    hours = times / HOUR_S
    first, second = np.triu_indices(len(hours), 1)
    apart_h = hours[second] - hours[first]
    per_h = float(np.median((medians[second] - medians[first]) / apart_h))
    line = per_h * hours + np.median(medians - per_h * hours)
    drawn = _drawn_again(medians - line, _bins_of(block_s, times), np.random.default_rng(seed)) + line
    slopes = np.median((drawn[:, second] - drawn[:, first]) / apart_h, axis=1)
    low, high = np.percentile(slopes, LIKELY_PERCENT)
    return Slope(per_h, float(low), float(high), float(np.median(medians)))


def binned(at_s: Floats, values: Floats) -> tuple[Floats, Floats]:
    """The mean time and the median of the values in each of BINS spans of time; spans without any are left out."""
    if not len(at_s):
        return at_s, values
    spans = np.linspace(at_s.min(), at_s.max() + 1e-9, min(BINS, len(at_s)) + 1)
    places = np.digitize(at_s, spans)
    there = np.unique(places)
    means = np.array([at_s[places == place].mean() for place in there])
    return means, np.array([np.median(values[places == place]) for place in there])


def _bins_of(block_s: float, times: Floats) -> int:
    each_s = (times[-1] - times[0]) / (len(times) - 1)
    return int(min(max(2, round(block_s / each_s)), len(times) // 3))


def _drawn_again(residuals: Floats, block: int, chance: np.random.Generator) -> Floats:
    """DRAWS series of residuals, each of blocks of neighbours from any place."""
    count = len(residuals)
    begins = chance.integers(0, count - block + 1, size=(DRAWS, -(-count // block)))
    places = (begins[:, :, None] + np.arange(block)).reshape(DRAWS, -1)[:, :count]
    return residuals[places]
