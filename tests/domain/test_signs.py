"""The signs of a step are numbers that JSON can write, whatever rewards were summed."""

import math
import operator
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.signs import SignSums, signs_of

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.lists(FINITE, min_size=1, max_size=4), min_size=1, max_size=6))
def test_means_are_finite_or_none_also_of_rewards_that_overflow(jobs: list[list[float]]):
    sums = [sum(rewards) for rewards in jobs]
    rewarded = sum(map(len, jobs))
    total = SignSums(groups=1, rollouts=rewarded, rewarded=rewarded, reward=reduce(operator.add, sums))
    mean = signs_of(total, 0).reward
    assert mean == total.mean_reward
    assert mean == total.reward / rewarded if math.isfinite(total.reward) else mean is None
