"""What the soak calls growth: known slopes are found, noise is no growth, and disturbed samples do not count."""

import math

import numpy as np
import pytest

from benchmarks.soak_slopes import LEAST_BINS, slope_of

EVERY_S = 5.0
COUNT = 400
BLOCK_S = 240.0


def noise(seed: int, size: float = 1.0) -> np.ndarray:
    """Neighbours are alike, as those of a process's memory are."""
    chance = np.random.default_rng(seed)
    values = np.zeros(COUNT)
    for place in range(1, COUNT):
        values[place] = 0.8 * values[place - 1] + chance.normal(0.0, size)
    return values


AT_S = EVERY_S * np.arange(COUNT)


@pytest.mark.parametrize("per_h", [-40.0, 0.5, 20.0])
def test_a_line_has_its_slope(per_h: float):
    slope = slope_of(list(AT_S), list(100.0 + per_h * AT_S / 3600.0), BLOCK_S)
    assert slope is not None
    assert slope.per_h == pytest.approx(per_h)
    assert slope.low_per_h == pytest.approx(per_h)
    assert not slope.is_flat


def test_the_interval_mostly_holds_the_slope():
    per_h = 12.0
    held = [
        slope.low_per_h <= per_h <= slope.high_per_h
        for seed in range(60)
        if (slope := slope_of(list(AT_S), list(200.0 + per_h * AT_S / 3600.0 + noise(seed)), BLOCK_S)) is not None
    ]
    assert len(held) == 60
    assert sum(held) >= 0.8 * 60


def test_a_steep_rise_is_seen_through_the_noise():
    for seed in range(20):
        slope = slope_of(list(AT_S), list(100.0 + 60.0 * AT_S / 3600.0 + noise(seed)), BLOCK_S)
        assert slope is not None
        assert slope.low_per_h > 0.05 * slope.level


def test_a_few_disturbed_samples_move_nothing():
    values = 100.0 + noise(3, 0.01)
    calm = slope_of(list(AT_S), list(values), BLOCK_S)
    values[[50, 51, 200, 201, 202, 390, 391]] = 10_000.0
    disturbed = slope_of(list(AT_S), list(values), BLOCK_S)
    assert calm is not None
    assert disturbed is not None
    assert math.isclose(calm.per_h, disturbed.per_h, abs_tol=0.2)


def test_too_few_samples_have_no_slope():
    assert slope_of([], [], BLOCK_S) is None
    few = list(range(LEAST_BINS - 1))
    assert slope_of([float(at) for at in few], [float(at) for at in few], BLOCK_S) is None


def test_an_estimate_is_the_same_each_time():
    values = list(50.0 + noise(9))
    assert slope_of(list(AT_S), values, BLOCK_S) == slope_of(list(AT_S), values, BLOCK_S)
