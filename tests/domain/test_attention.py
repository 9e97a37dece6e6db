"""Which runs need a look, and why."""

from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.attention import Concern, Point, concerns_of
from reward_service.domain.signs import SignSums

COUNTS = st.integers(0, 100)
POINTS = st.lists(st.builds(Point, st.builds(SignSums, COUNTS, COUNTS, COUNTS, COUNTS), COUNTS), max_size=6)


def step(top: int = 10, **sums: int) -> Point:
    """A step of 100 rollouts, all with an answer and a reward."""
    return Point(SignSums(**{"groups": 10, "rollouts": 100, "answered": 100, "rewarded": 100} | sums), top)


def concerns(*points: Point, opened: int = 0, unused_s: float = 0.0, lag: int = 0) -> list[Concern]:
    return concerns_of(points, opened=opened, unused_s=unused_s, lag=lag)


def test_a_steady_run_and_one_without_steps_need_no_look() -> None:
    assert concerns() == []
    assert concerns(*[step()] * 5, opened=9, unused_s=5.0, lag=1) == []


def test_one_answer_to_everything_is_a_concern_where_its_share_has_doubled() -> None:
    assert concerns(step(20), step(45)) == [Concern.ONE_ANSWER]
    assert concerns(step(40), step(45)) == []
    assert concerns(step(5), step(20)) == []


def test_accuracy_is_compared_with_the_best() -> None:
    first, best, last = (step(truths=100, right=right) for right in (50, 71, 60))
    assert concerns(first, best, last) == [Concern.ACCURACY_FALLS]
    assert concerns(first, last) == []
    assert concerns(best, step()) == []


def test_a_step_tells_who_has_no_reward_and_no_answer() -> None:
    assert concerns(step(rewarded=70, no_label=15, expired=15)) == [Concern.ABSTAINS]
    assert concerns(step(rewarded=80, no_label=20)) == []
    assert concerns(step(answered=79)) == [Concern.UNANSWERED]
    assert concerns(step(pairs=10, same=4)) == [Concern.VIEWS_DISAGREE]


def test_a_teacher_that_lags_and_a_trainer_that_is_gone() -> None:
    assert concerns(lag=2) == [Concern.TEACHER_LAGS]
    assert concerns(opened=1, unused_s=601.0) == [Concern.QUIET]
    assert concerns(opened=0, unused_s=1e9) == []


@given(POINTS, COUNTS, st.floats(0, 1e6), COUNTS)
def test_each_is_told_once_the_most_urgent_first(points: list[Point], opened: int, unused_s: float, lag: int) -> None:
    found = concerns(*points, opened=opened, unused_s=unused_s, lag=lag)
    assert found == [concern for concern in Concern if concern in found]
