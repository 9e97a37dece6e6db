"""The plan of a load test: an open loop with long tails, whose rate is what was asked for."""

import itertools
from statistics import median

from hypothesis import given, settings
from hypothesis import strategies as st

from reward_service.tools.loadtest.arrivals import Traffic, batches, bursts
from reward_service.tools.loadtest.workload import COHORT


@given(st.floats(50, 5000), st.floats(1, 20), st.integers(1, 16), st.sampled_from([0.0, 0.3, 1.0]), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_requests_come_in_order_and_none_twice(rate: float, seconds: float, prompts: int, share: float, seed: int):
    traffic = Traffic(rate, seconds, 64, prompts, share, seed)
    arrivals = list(itertools.islice(traffic.arrivals(), 3000))
    assert [each.at_s for each in arrivals] == sorted(each.at_s for each in arrivals)
    assert len({(each.kind, each.index) for each in arrivals}) == len(arrivals)
    assert arrivals == list(itertools.islice(traffic.arrivals(), 3000)), "the same seed is the same traffic"


def test_a_burst_is_whole_cohorts_with_a_long_tail():
    arrivals = list(bursts(rate=2048 / 10, seconds=20, prompts=128, seed=3))
    assert len(arrivals) == 2 * 128 * COHORT
    first = [each for each in arrivals if each.index < 128 * COHORT]
    times = [each.at_s for each in first]
    assert max(times) == 10.0, "the last ends as the next burst begins"
    assert median(times) < 3.0, "most end long before"
    assert [each.index for each in first] != sorted(each.index for each in first), "in no order"


def test_batches_come_at_their_rate_and_not_in_step():
    arrivals = list(batches(rate=25_600, seconds=100, size=256, seed=1))
    assert 9_000 < len(arrivals) < 11_000
    gaps = [later.at_s - sooner.at_s for sooner, later in itertools.pairwise(arrivals)]
    assert max(gaps) > 4 * sum(gaps) / len(gaps)
