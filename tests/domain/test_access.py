"""What a key may do: rates hold over any traffic, and prefixes cover evaluations."""

from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.access import AccessList, Grant, Quotas, Rate, RunQuotas

RATES = st.builds(Rate, st.floats(0.01, 1e6), st.floats(0.01, 1e6))
SIZES = st.floats(0.001, 1e7)
NAMES = st.text("ab.", min_size=1, max_size=6)


@given(RATES, st.lists(st.tuples(st.floats(0, 1e4), SIZES), max_size=50))
def test_what_is_let_in_is_never_more_than_the_burst_and_the_flow_and_one_large_request(
    rate: Rate, arrivals: list[tuple[float, float]]
) -> None:
    level, now_s, taken, largest = rate.burst, 0.0, 0.0, 0.0
    for gap_s, size in arrivals:
        now_s += gap_s
        level = rate.refilled(level, gap_s)
        if rate.wait_s(level, size) == 0.0:
            level -= size
            taken += size
            largest = max(largest, size - rate.burst)
        assert taken <= (rate.burst + rate.per_s * now_s + largest) * (1 + 1e-9)


@given(RATES, st.floats(-1e7, 1e6), SIZES)
def test_whoever_waits_as_long_as_is_said_is_let_in(rate: Rate, level: float, size: float) -> None:
    level = min(level, rate.burst)
    wait_s = rate.wait_s(level, size)
    later = rate.refilled(level, wait_s)
    assert rate.wait_s(later, size) <= wait_s * 1e-6 + 1e-9 * max(1.0, abs(level)) / rate.per_s
    assert rate.refilled(level, -5.0) == level


@given(NAMES, st.lists(NAMES, min_size=1, max_size=3))
def test_a_grant_is_for_runs_of_its_prefixes_and_for_their_evaluations(run: str, prefixes: list[str]) -> None:
    grant = Grant("a", prefixes=tuple(prefixes))
    assert grant.admits(run) == any(run.startswith(each) for each in prefixes)
    assert grant.admits(f"{run}.evaluation") == grant.admits(run)
    assert Grant("a").admits(run)


@given(NAMES, st.lists(NAMES, min_size=1, max_size=3))
def test_a_grant_for_a_run_owns_the_folders_that_are_named_after_the_run(run: str, prefixes: list[str]) -> None:
    grant = Grant("a", prefixes=tuple(prefixes))
    assert grant.owns(f"{run}.step-3.0") >= grant.admits(run)
    assert grant.owns(f"{run}/step-3") >= grant.admits(run)
    assert grant.owns(run) == any(run.startswith(each) for each in prefixes)
    assert Grant("a").owns(run)


def test_a_prefix_that_ends_within_the_suffix_does_not_open_an_evaluation() -> None:
    assert not Grant("a", prefixes=("math.eval",)).admits("math.evaluation")


@given(NAMES, st.lists(NAMES, max_size=4, unique=True))
def test_the_longest_prefix_says_the_quotas_of_a_run(run: str, prefixes: list[str]) -> None:
    each = {prefix: Quotas(open_cohorts=place + 1) for place, prefix in enumerate(prefixes)}
    access = AccessList(runs=tuple(RunQuotas(prefix, quotas) for prefix, quotas in each.items()))
    fitting = sorted((prefix for prefix in prefixes if run.startswith(prefix)), key=len)
    expected = each[fitting[-1]] if fitting else None
    assert access.quotas_of(run) == access.quotas_of(f"{run}.evaluation") == expected
