"""A key at ten times its quota disturbs another little, and gets no more than its quota.

On a quiet machine the p99 of the other stays within twice: `python -m benchmarks.quotas --check` asks for that. Here
other tests use the machine too, and more is allowed.
"""

import statistics

import pytest

from benchmarks.quotas import ALONE, QUOTA, ROLLOUTS, TIMES, measure

QUOTA_PER_S = 640
MOST_RATIO = 5.0
TRIES = 3
"""Others use the machine too: one quiet try shows what the service does."""


@pytest.mark.timed
def test_a_key_at_ten_times_its_quota_leaves_another_its_p99() -> None:
    told: list[float] = []
    for _ in range(TRIES):
        found = measure(QUOTA_PER_S, seconds=1.5, rounds=3, turns=(ALONE, QUOTA))
        flood = found[QUOTA]
        seconds = sum(turn.seconds for turn in flood)
        let_in = ROLLOUTS * sum(turn.let_in for turn in flood) / seconds
        refused = ROLLOUTS * sum(turn.refused for turn in flood) / seconds
        assert let_in < 1.5 * QUOTA_PER_S
        assert let_in + refused > 0.5 * TIMES * QUOTA_PER_S, "the flood itself was too slow"
        p99_s = {name: statistics.median(turn.p99_s for turn in turns) for name, turns in found.items()}
        told.append(p99_s[QUOTA] / p99_s[ALONE])
        if told[-1] <= MOST_RATIO:
            return
    pytest.fail(f"p99 beside the flood over p99 alone: {told}")
