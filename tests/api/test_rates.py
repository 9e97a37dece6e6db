"""Rollouts a second, from looks at a run's steps."""

from reward_service.api.events.rates import WINDOW_S, RolloutRate
from reward_service.domain.signs import SignSums
from reward_service.store.traces import SignPoint


def point(step: int, rollouts: int, attempt: int = 0) -> SignPoint:
    return SignPoint(step, attempt, SignSums(rollouts=rollouts), 0)


def test_what_was_there_before_the_first_look_is_not_counted() -> None:
    rate = RolloutRate()
    assert rate.after([point(1, 500), point(2, 100)], 10.0) is None
    assert rate.after([point(1, 500), point(2, 300)], 12.0) == 100.0
    assert rate.after([point(2, 300), point(3, 200)], 14.0) == 100.0


def test_only_the_newest_step_and_later_ones_count() -> None:
    rate = RolloutRate()
    rate.after([point(5, 10)], 0.0)
    assert rate.after([point(1, 9000), point(5, 10), point(5, 4, attempt=1)], 2.0) == 2.0


def test_a_run_that_begins_is_counted_from_its_first_step_on() -> None:
    rate = RolloutRate()
    assert rate.after([], 0.0) is None
    assert rate.after([point(0, 30)], 3.0) == 10.0


def test_a_run_that_rests_comes_to_nothing() -> None:
    rate = RolloutRate()
    rate.after([point(0, 0)], 0.0)
    assert (rate.after([point(0, 80)], 1.0) or 0) > 0
    now_s = 1.0
    while now_s < WINDOW_S + 3.0:
        now_s += 1.0
        last = rate.after([point(0, 80)], now_s)
    assert last == 0.0


def test_a_run_that_was_made_anew_is_counted_anew() -> None:
    rate = RolloutRate()
    rate.after([point(100, 500)], 0.0)
    assert rate.after([point(1, 30)], 3.0) == 10.0
    assert rate.after([point(1, 30), point(2, 30)], 6.0) == 10.0
