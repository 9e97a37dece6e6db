"""Laws of scaling: bounds are kept, a constant signal never turns it round, and nothing changes in haste."""

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from reward_service.on_ray.scaling import Scale, ScalingRule, scaled

SIGNALS = st.floats(0.0, 1e6)
PAUSES_S = st.floats(0.01, 30.0)


@st.composite
def rules(draw: st.DrawFn) -> ScalingRule:
    least = draw(st.integers(0, 5))
    shrink_at = draw(st.floats(0.0, 100.0))
    return ScalingRule(
        least,
        draw(st.integers(least, 12)),
        shrink_at + draw(st.floats(0.001, 100.0)),
        shrink_at,
        draw(st.floats(0.0, 20.0)),
        draw(st.floats(0.0, 90.0)),
        draw(st.booleans()),
    )


def counts(rule: ScalingRule, first: int, looks: list[tuple[float, float]]) -> list[tuple[float, int]]:
    """Times and counts after each look; a look is a pause (seconds) and a signal."""
    scale, now_s, found = Scale(first), 0.0, []
    for pause_s, signal in looks:
        now_s += pause_s
        scale = scaled(rule, scale, signal, now_s)
        found.append((now_s, scale.count))
    return found


@given(rules(), st.integers(0, 20), st.lists(st.tuples(PAUSES_S, SIGNALS), max_size=60))
def test_bounds_are_never_left(rule: ScalingRule, first: int, looks: list[tuple[float, float]]):
    assert all(rule.least <= count <= rule.most for _, count in counts(rule, first, looks))


@given(rules(), st.data(), SIGNALS, st.lists(PAUSES_S, max_size=60))
def test_a_constant_signal_never_turns_it_round(rule: ScalingRule, data: st.DataObject, signal: float, pauses: list):
    first = data.draw(st.integers(rule.least, rule.most))
    found = [first, *(count for _, count in counts(rule, first, [(pause_s, signal) for pause_s in pauses]))]
    assert found in (sorted(found), sorted(found, reverse=True))


@given(rules(), st.data(), st.lists(st.tuples(PAUSES_S, SIGNALS), max_size=60))
def test_it_goes_one_by_one_and_waits_between(rule: ScalingRule, data: st.DataObject, looks: list):
    first = data.draw(st.integers(rule.least, rule.most))
    found = [(0.0, first), *counts(rule, first, looks)]
    changes = [(now_s, count - before) for (_, before), (now_s, count) in pairwise(found)]
    changes = [(now_s, change) for now_s, change in changes if change]
    assert all(abs(change) == 1 for _, change in changes)
    for (earlier_s, _), (later_s, change) in pairwise(changes):
        after_s = rule.grow_after_s if change > 0 else rule.shrink_after_s
        assert later_s - earlier_s >= after_s * (1 - 1e-9) - 1e-9


@given(rules(), st.data(), st.floats(0.0, 1.0))
def test_between_the_two_thresholds_nothing_changes(rule: ScalingRule, data: st.DataObject, share: float):
    first = data.draw(st.integers(rule.least, rule.most))
    load = rule.shrink_at + share * (rule.grow_at - rule.shrink_at)
    signal = load * max(1, first) if rule.shared else load
    assume(rule.shrink_at < rule.load(signal, first) < rule.grow_at)
    assert {count for _, count in counts(rule, first, [(30.0, signal)] * 20)} == {first}


def test_the_age_of_the_queue_makes_workers_more_and_an_idle_queue_makes_them_fewer():
    rule = ScalingRule(1, 3, grow_at=1.0, shrink_at=0.25, grow_after_s=5.0, shrink_after_s=60.0)
    late = counts(rule, 1, [(1.0, 2.0)] * 20)
    assert [count for _, count in late] == [1] * 5 + [2] * 5 + [3] * 10
    idle = counts(rule, 3, [(10.0, 0.0)] * 15)
    assert [count for _, count in idle] == [3] * 6 + [2] * 6 + [1] * 3


def test_labels_are_shared_among_teachers():
    rule = ScalingRule(1, 8, grow_at=64.0, shrink_at=8.0, grow_after_s=0.0, shrink_after_s=0.0, shared=True)
    assert counts(rule, 1, [(1.0, 200.0)] * 30)[-1][1] == 4  # 50 for each; 3 would have 67 each
    assert counts(rule, 8, [(1.0, 60.0)] * 30)[-1][1] == 7  # 8.6 for each: none is idle enough
