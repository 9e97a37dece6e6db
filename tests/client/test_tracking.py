"""The series of a run in a tracker: a step is logged once, when it has ended, whatever comes between."""

from typing import Any

import httpx
import pytest
from client_world import FakeTime, problem
from co_rewarding_client import RewardClient, Unauthorized
from co_rewarding_client.tracking import NO_STEP, EndedSteps, Figures, Pace, figures_of, follow

QUIET_S = 60.0


def point(step: int, groups: int = 8, attempt: int = 0, **figures: Any) -> dict[str, Any]:
    return {"step": step, "attempt": attempt, "groups": groups, **figures}


def steps(ended: EndedSteps, now_s: float, *points: dict[str, Any]) -> list[int]:
    return [step for step, _ in ended.look(points, now_s)]


def test_a_step_ends_when_another_follows_and_nothing_changes_any_more():
    ended = EndedSteps(NO_STEP, QUIET_S)
    assert steps(ended, 0.0, point(1)) == []
    assert steps(ended, 1.0, point(1), point(2)) == [1]
    assert steps(ended, 2.0, point(1), point(2, groups=9), point(3)) == [], "2 has changed since the last look"
    assert steps(ended, 3.0, point(1), point(2, groups=9), point(3)) == [2]
    assert ended.open == 1


def test_the_latest_step_ends_when_it_was_quiet_for_long():
    ended = EndedSteps(NO_STEP, QUIET_S)
    assert steps(ended, 0.0, point(1)) == []
    assert steps(ended, 59.0, point(1)) == []
    assert steps(ended, 59.5, point(1, groups=9)) == []
    assert steps(ended, 119.0, point(1, groups=9)) == []
    assert steps(ended, 119.5, point(1, groups=9)) == [1]
    assert ended.open == 0
    assert steps(ended, 500.0, point(1, groups=12)) == [], "what comes late is not logged again"


def test_no_step_is_passed_over_because_one_before_it_still_changes():
    ended = EndedSteps(NO_STEP, QUIET_S)
    steps(ended, 0.0, point(1), point(2), point(3))
    assert steps(ended, 1.0, point(1), point(2, groups=9), point(3)) == [1]
    assert steps(ended, 2.0, point(1), point(2, groups=9), point(3)) == [2]


def test_a_tracker_that_has_steps_gets_those_behind_them():
    ended = EndedSteps(2, QUIET_S)
    steps(ended, 0.0, *map(point, range(5)))
    assert steps(ended, 1.0, *map(point, range(5))) == [3]


def test_of_a_step_that_was_done_again_the_last_attempt_is_logged():
    ended = EndedSteps(NO_STEP, QUIET_S)
    series = [point(1, vote_share=0.1), point(1, attempt=1, vote_share=0.9), point(2)]
    list(ended.look(series, 0.0))
    assert list(ended.look(series, 1.0)) == [(1, {"co_rewarding/groups": 8.0, "co_rewarding/vote_share": 0.9})]


def test_every_number_is_a_figure_and_nothing_else():
    told = point(3, attempt=1, vote_share=None, later_figure=2, text="x")
    assert figures_of(told) == {"co_rewarding/groups": 8.0, "co_rewarding/later_figure": 2.0}


def test_counts_by_kind_are_logged_as_their_sum_and_each_alone():
    assert figures_of(point(3, abstentions={}))["co_rewarding/abstentions"] == 0.0
    assert figures_of(point(3, abstentions={"no-label": 16, "gated": 4})) == {
        "co_rewarding/groups": 8.0,
        "co_rewarding/abstentions": 20.0,
        "co_rewarding/abstentions_no-label": 16.0,
        "co_rewarding/abstentions_gated": 4.0,
    }


class Noted:
    """A tracker in memory that refuses to go back."""

    def __init__(self, last_step: int = NO_STEP) -> None:
        self._last_step = last_step
        self.logged: dict[int, Figures] = {}

    def last_step(self) -> int:
        return self._last_step

    def log(self, step: int, figures: Figures) -> None:
        assert step > max([self._last_step, *self.logged])
        self.logged[step] = figures


class Series:
    """A service that answers with one reply after the other, and then with the last."""

    def __init__(self, *replies: Any) -> None:
        self._replies = list(replies)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/runs/math/series"
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, httpx.Response) else httpx.Response(200, json={"run": "math", "steps": reply})


def followed(service: Series, tracker: Noted, pace: Pace, told: list[str] | None = None) -> list[str]:
    """Follow until all is logged; what was said of trouble."""
    time, said = FakeTime(), [] if told is None else told
    with RewardClient(
        "http://service", patience_s=0.0, transport=httpx.MockTransport(service), surroundings=time.surroundings()
    ) as client:
        follow(client, "math", tracker, pace, trouble=said.append, clock_s=lambda: time.now_s, sleep=time.sleep)
    return said


UNTIL_QUIET = Pace(every_s=5.0, quiet_s=10.0, until_quiet=True)


def test_a_service_that_goes_away_and_comes_back_is_followed_on():
    gone = httpx.ConnectError("connection refused")
    first, all_three = [point(1), point(2)], [point(1), point(2), point(3)]
    tracker = Noted()
    said = followed(Series(first, first, gone, gone, gone, all_three, gone, all_three), tracker, UNTIL_QUIET)
    assert list(tracker.logged) == [1, 2, 3]
    assert len(said) == 2, "once for each time that it is away"
    assert "connection refused" in said[0]


def test_a_run_that_is_not_there_yet_is_waited_for():
    tracker = Noted()
    said = followed(Series(problem(404, detail="no run math"), [], [point(7)]), tracker, UNTIL_QUIET)
    assert list(tracker.logged) == [7]
    assert len(said) == 1


def test_a_run_that_began_anew_is_not_logged_over_what_is_there():
    tracker = Noted(last_step=9)
    said = followed(Series([point(1)], [point(1), point(2)], [point(9)], [point(9), point(10)]), tracker, UNTIL_QUIET)
    assert list(tracker.logged) == []
    assert len(said) == 1
    assert "is at step 1, and steps up to 9 are logged" in said[0]


def test_a_run_that_was_made_anew_while_it_is_followed_is_told_and_logged_from_where_it_is_ahead():
    three, five = [*map(point, range(1, 4))], [*map(point, range(1, 6))]
    ends = problem(401, "Unauthorized")
    tracker, said = Noted(), []
    with pytest.raises(Unauthorized):
        followed(Series(three, three, three[:1], three[:2], five, five, ends), tracker, Pace(every_s=5.0), said)
    assert list(tracker.logged) == [1, 2, 3, 4]
    assert len(said) == 1
    assert "is at step 1, and steps up to 2 are logged" in said[0]


def test_a_refusal_ends_it():
    with pytest.raises(Unauthorized):
        followed(Series(problem(401, "Unauthorized")), Noted(), UNTIL_QUIET)
