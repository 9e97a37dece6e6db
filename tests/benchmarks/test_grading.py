"""The grading benchmark: what it makes is labelled rightly, what it counts is counted rightly, and it always ends."""

import contextlib
import time
from collections.abc import Iterator
from functools import partial

import pytest
from co_rewarding_schema.vocabulary import Conventions

from benchmarks.grading_accuracy import Accuracy, Examiner, Score
from benchmarks.grading_contestants import BACKWARD, BOTH, EITHER, FORWARD, LENIENT, Row
from benchmarks.grading_isolated import Isolated, LostError
from benchmarks.grading_made import made_cohorts, made_pairs
from benchmarks.grading_ours import our_grader
from benchmarks.grading_pairs import Answered, Pair, cohorts_of, gold_pairs
from benchmarks.grading_results import Judged, Times, Voted
from benchmarks.grading_voting import Voting, Workload


class Sleeper:
    """Equal texts are equal, errors are raised, and a nap is a nap."""

    def pair(self, gold: str, answer: str) -> Judged:
        if answer == "sleep":
            time.sleep(60)
        if answer == "fail":
            raise ValueError("no")
        return Judged(gold == answer, 1e-6)


@contextlib.contextmanager
def sleeper() -> Iterator[Sleeper]:
    yield Sleeper()


@contextlib.contextmanager
def one_way(order: int) -> Iterator["OneWay"]:
    yield OneWay(order)


class OneWay:
    """Equal where the texts are in alphabetical order, or in the other."""

    def __init__(self, order: int) -> None:
        self._order = order

    def pair(self, gold: str, answer: str) -> Judged:
        return Judged(gold == answer or (gold < answer) is (self._order > 0), 1.0)


def test_what_is_made_depends_on_the_seed_alone() -> None:
    assert made_pairs(1) == made_pairs(1) != made_pairs(2)
    assert {len(cohort) for cohort in made_cohorts(3, 16)} == {16}


def test_what_is_made_is_labelled_as_our_grader_has_it() -> None:
    with our_grader(Conventions.LENIENT) as ours:
        wrong = [pair for pair in made_pairs() if ours.pair(pair.gold, pair.answer).equal is not pair.equal]
    assert not wrong


def test_a_call_that_takes_too_long_is_ended_and_the_next_is_answered() -> None:
    with Isolated(sleeper) as grader:
        with pytest.raises(LostError, match="ended"):
            grader.call("pair", "a", "sleep", limit_s=0.2)
        assert grader.call("pair", "a", "a", limit_s=30).equal
        with pytest.raises(RuntimeError, match="ValueError: no"):
            grader.call("pair", "a", "fail", limit_s=30)


def test_a_score_counts_what_is_wrong() -> None:
    pairs = [
        Pair("1", "1.0", True, "a"),
        Pair("1", "2", False, "b"),
        Pair("1", "3", False, "c"),
        Pair("1", "1", True, "d"),
    ]
    verdicts = [Judged(True, 2e-6), Judged(True, 4e-6), Judged(False, 6e-6, "undecided"), None]
    score = Score("x", pairs, verdicts)
    assert (score.accuracy, score.precision, score.recall) == (2 / 3, 1 / 2, 1.0)
    assert score.false_equals == [pairs[1]]
    assert score.false_differents == []
    assert score.trouble("undecided") == 1
    assert score.times.median == pytest.approx(4.0)


def test_both_directions_are_made_of_the_two() -> None:
    rows = {FORWARD: Row(partial(one_way, 1), ""), BACKWARD: Row(partial(one_way, -1), "")}
    found = Examiner(rows, 60, lambda _: None).examine("x", [Pair("a", "b", True, "k"), Pair("a", "a", True, "k")])
    equal = {name: [judged.equal for judged in verdicts if judged] for name, verdicts in found.verdicts.items()}
    assert equal == {FORWARD: [True, True], BACKWARD: [False, True], EITHER: [True, True], BOTH: [False, True]}
    assert [judged.cpu_s for judged in found.verdicts[EITHER] if judged] == [1.0, 1.0]
    assert [judged.cpu_s for judged in found.verdicts[BOTH] if judged] == [2.0, 2.0]


def test_conventions_are_scored_apart() -> None:
    pairs = [Pair("1", "1", True, "plain"), Pair("50", r"50\%", True, "percent", convention=True)]
    accuracy = Accuracy("x", pairs, {LENIENT: [Judged(True, 0.0), Judged(False, 0.0)]})
    assert accuracy.scores[0].accuracy == 1.0
    assert accuracy.conventions_by_kind() == {"percent": (1, {LENIENT: 0})}


def test_a_vote_is_compared_on_the_cohorts_that_both_had() -> None:
    votes = {
        LENIENT: {0: Voted((0, 0, 2), 0.001, 0.0), 1: Voted((0, 1, 2), 0.001, 0.0)},
        "other": {1: Voted((5, 6, 6), 0.003, 0.0)},
    }
    voting = Voting(Workload("w", [["a", "b", "c"]] * 2, 1), votes)
    assert voting.ratio("other") == pytest.approx(3.0)
    assert voting.same_partition("other") == 0.0
    assert Workload("w", [["a"]] * 10, 5).sampled == [0, 2, 4, 6, 8]


def test_cohorts_and_pairs_of_rollouts() -> None:
    questions = [Answered("1", ("1", "2", "2")), Answered("3", ())]
    assert gold_pairs(questions) == [Pair("1", "2", None, "rollout")]
    assert cohorts_of(questions, 4) == [("1", "2", "2", "1")]
    assert Times.of([], 1e-6).count == 0
