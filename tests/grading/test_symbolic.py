"""The service's grader with judges that say anything: classes stay classes, and the budget is kept."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest
from co_rewarding_schema.vocabulary import Conventions
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_service.domain.answers.comparing import Proof, compare, group
from reward_service.domain.answers.reading import read_answer
from reward_service.domain.extraction import last_boxed
from reward_service.grading.fairness import Allowances
from reward_service.grading.judge import Judgement
from reward_service.grading.symbolic import Budget, NotAtOnceError, SymbolicGrader
from reward_service.grading.verdicts import Classes, KnownVerdicts, Matches, Verdict

DATA = Path(__file__).parents[3] / "shared" / "data"
QWEN, RHO = DATA / "rollouts_qwen_math100x8.jsonl", DATA / "rollouts_rho_math500x4.jsonl"
needs_rollouts = pytest.mark.skipif(
    not (QWEN.is_file() and RHO.is_file()), reason=f"the real rollouts are not there: {DATA}"
)

LENIENT, STRICT = Conventions.LENIENT, Conventions.STRICT
OPEN = [
    r"\sum_{k=1}^{3} k", r"\sum_{k=1}^{4} k", r"\int_0^1 x\,dx", r"|x|", r"\sqrt{x^2}", r"\log 100", r"e^{i\pi}",
    r"\cos^2 t+\sin^2 t", r"\lim_{x\to 0} x", r"\max\{1,2\}", r"x\equiv 1 \pmod 3", "x^2<4",
]  # fmt: skip
"""Answers of which nothing is proved."""
CLEAR = [
    "6",
    "12",
    "12 cm",
    r"12\text{ m}",
    "x=6",
    "y=6",
    "1,2",
    "2,1",
    r"\{1,2\}",
    r"50\%",
    "1/2",
    "(-2,2)",
    "no",
    "(A) 6",
]
RANDOM = st.randoms(use_true_random=False)
BOTH = st.sampled_from(Conventions)
cohorts = st.lists(st.sampled_from(OPEN + CLEAR), min_size=1, max_size=12)
verdicts = st.dictionaries(
    st.tuples(st.sampled_from(OPEN + CLEAR), st.sampled_from(OPEN + CLEAR)), st.sampled_from(Verdict), max_size=60
)


class Oracle:
    """A judge with a table of verdicts, symmetric and otherwise arbitrary; it notes what it is asked."""

    def __init__(self, says: Mapping[tuple[str, str], Verdict] | Verdict, cpu_s: float = 0.0) -> None:
        self.says = says
        self.cpu_s = cpu_s
        self.asked: list[tuple[str, str]] = []

    async def compare(self, a: str, b: str) -> Judgement:
        self.asked.append((a, b))
        return Judgement(self._verdict(a, b), self.cpu_s, "table")

    def _verdict(self, a: str, b: str) -> Verdict:
        if isinstance(self.says, Verdict):
            return self.says
        found = [self.says[pair] for pair in (tuple(sorted((a, b))), tuple(sorted((a, b)))[::-1]) if pair in self.says]
        return found[0] if found else Verdict.DIFFERENT


NO_LIMIT = Budget(questions=10**6, cpu_s=1e9)


def known() -> KnownVerdicts:
    return KnownVerdicts(None, lambda: 0.0)


def classified(answers: Iterable[str], grader: SymbolicGrader, conventions: Conventions = LENIENT) -> Classes:
    return asyncio.run(grader.classify(list(answers), conventions))


def partition(classes: Classes) -> set[frozenset[str]]:
    names = set(classes.class_of.values())
    return {frozenset(answer for answer, name in classes.class_of.items() if name == each) for each in names}


@settings(max_examples=150, deadline=None)
@given(cohorts, verdicts, RANDOM, BOTH)
def test_classes_are_a_partition_that_no_order_changes(
    answers: list[str], table: dict[tuple[str, str], Verdict], rng: random.Random, conventions: Conventions
) -> None:
    classes = classified(answers, SymbolicGrader(Oracle(table), budget=NO_LIMIT), conventions)
    again = classified(
        rng.sample(answers * 2, len(answers) * 2), SymbolicGrader(Oracle(table), budget=NO_LIMIT), conventions
    )
    assert classes == again
    assert classes.class_of.keys() == set(answers)


@settings(max_examples=150, deadline=None)
@given(cohorts, verdicts, st.integers(0, 6), RANDOM)
def test_a_budget_that_ends_does_not_let_the_order_in(
    answers: list[str], table: dict[tuple[str, str], Verdict], questions: int, rng: random.Random
) -> None:
    budget = Budget(questions=questions, cpu_s=1.0)
    classes = classified(answers, SymbolicGrader(Oracle(table), budget=budget))
    assert classified(rng.sample(answers, len(answers)), SymbolicGrader(Oracle(table), budget=budget)) == classes


@settings(max_examples=150, deadline=None)
@given(cohorts, BOTH)
def test_a_judge_that_merges_all_joins_nothing_proved_different(answers: list[str], conventions: Conventions) -> None:
    classes = classified(answers, SymbolicGrader(Oracle(Verdict.SAME), budget=NO_LIMIT), conventions)
    for one in set(answers):
        for other in set(answers):
            readings = read_answer(one, conventions), read_answer(other, conventions)
            # What may be meant in two ways may join another by way of a third that has no doubt.
            certain = all(len(reading.meanings) == 1 for reading in readings)
            if certain and compare(*readings) is Proof.DIFFERENT:
                assert classes.class_of[one] != classes.class_of[other], (one, other)


@settings(max_examples=150, deadline=None)
@given(cohorts, verdicts, st.integers(0, 20), BOTH)
def test_each_pair_of_groups_is_asked_for_once_and_within_the_budget(
    answers: list[str], table: dict[tuple[str, str], Verdict], questions: int, conventions: Conventions
) -> None:
    judge = Oracle(table)
    classes = classified(answers, SymbolicGrader(judge, budget=Budget(questions, 1.0)), conventions)
    group_at = {
        reading.text: place
        for place, each in enumerate(group(read_answer(answer, conventions) for answer in set(answers)))
        for reading in each.members
    }
    asked = Counter(frozenset((group_at[a], group_at[b])) for a, b in judge.asked)
    assert all(len(pair) == 2 and times == 1 for pair, times in asked.items())
    assert len(judge.asked) <= questions
    everything = Oracle(table)
    classified(answers, SymbolicGrader(everything, budget=NO_LIMIT), conventions)
    assert judge.asked == everything.asked[:questions]
    unasked = len(everything.asked) - len(judge.asked)
    said = [judge._verdict(a, b) for a, b in judge.asked]
    assert classes.undecided == unasked + said.count(Verdict.UNDECIDED)


def test_no_more_is_asked_when_the_time_is_spent() -> None:
    judge = Oracle(Verdict.DIFFERENT, cpu_s=0.15)
    classes = classified(OPEN[:5], SymbolicGrader(judge, budget=Budget(questions=16, cpu_s=0.4)))
    assert len(judge.asked) == 3  # the third began with 0.3 s spent
    everything = Oracle(Verdict.DIFFERENT)
    classified(OPEN[:5], SymbolicGrader(everything, budget=NO_LIMIT))
    assert classes.undecided == len(everything.asked) - 3


def test_without_a_judge_what_is_open_is_counted() -> None:
    answers = [OPEN[0], OPEN[1], "6"]
    classes = classified(answers, SymbolicGrader())
    assert partition(classes) == {frozenset({answer}) for answer in answers}
    assert classes.undecided == 3


def test_known_verdicts_cost_nothing_and_are_not_asked_again() -> None:
    judge, memory = Oracle({(OPEN[0], "6"): Verdict.SAME}), known()
    answers = [*OPEN[:4], "6"]
    few = Budget(questions=3, cpu_s=1.0)
    first = classified(answers, SymbolicGrader(judge, memory, few))
    rounds = [first]
    while rounds[-1].undecided:
        rounds.append(classified(answers, SymbolicGrader(judge, memory, few)))
        assert len(rounds) < 10
    assert rounds[0].undecided > rounds[1].undecided
    assert len(judge.asked) == len(set(judge.asked)) > 3
    before = len(judge.asked)
    assert classified(answers, SymbolicGrader(judge, memory, Budget(questions=0))) == rounds[-1]
    assert len(judge.asked) == before
    assert rounds[-1].class_of[OPEN[0]] == rounds[-1].class_of["6"]


def test_undecided_is_remembered_for_a_while_too() -> None:
    judge, memory = Oracle(Verdict.UNDECIDED), known()
    for _ in range(2):
        assert classified(OPEN[:2], SymbolicGrader(judge, memory)).undecided == 1
    assert len(judge.asked) == 1


def test_conventions_have_verdicts_of_their_own() -> None:
    judge, memory = Oracle(Verdict.DIFFERENT), known()
    for conventions in Conventions:
        classified(OPEN[:2], SymbolicGrader(judge, memory), conventions)
    assert len(judge.asked) == 2


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(OPEN + CLEAR), cohorts, verdicts, BOTH)
def test_each_answer_is_matched_by_itself(
    truth: str, answers: list[str], table: dict[tuple[str, str], Verdict], conventions: Conventions
) -> None:
    grader = SymbolicGrader(Oracle(table), budget=NO_LIMIT)
    matches = asyncio.run(grader.match(truth, answers, conventions))
    alone = [asyncio.run(grader.match(truth, [answer], conventions)) for answer in set(answers)]
    assert matches.equal == frozenset().union(*(each.equal for each in alone))
    assert matches.undecided == sum(each.undecided for each in alone)
    for answer in answers:
        proof = compare(read_answer(truth, conventions), read_answer(answer, conventions))
        assert (answer in matches.equal) == (
            proof is Proof.SAME or (proof is Proof.OPEN and Oracle(table)._verdict(truth, answer) is Verdict.SAME)
        )


def test_a_match_is_asked_for_within_the_budget_and_the_rest_counted() -> None:
    judge = Oracle(Verdict.SAME)
    unproved = [OPEN[0], OPEN[1], OPEN[2], OPEN[8]]
    matches = asyncio.run(SymbolicGrader(judge, budget=Budget(questions=2)).match("6", [*unproved, "6", "7"], LENIENT))
    assert len(judge.asked) == 2
    assert matches.equal == {"6", *(answer for _, answer in judge.asked)}
    assert matches.undecided == 2


@cache
def real_cohorts() -> list[list[str]]:
    rows = [json.loads(line) for path in (QWEN, RHO) for line in path.read_text().splitlines()]
    cohorts = [
        [row["gold"], *(each.get("answer") or last_boxed(each.get("response", "")) for each in row["rollouts"])]
        for row in rows
    ]
    return [[answer for answer in cohort if answer] for cohort in cohorts]


def on_all_cohorts(check: Callable[[list[str], random.Random], object]) -> None:
    rng = random.Random(0)
    for cohort in real_cohorts():
        check(cohort, rng)


@needs_rollouts
def test_real_cohorts_fall_into_the_same_classes_in_any_order() -> None:
    def check(cohort: list[str], rng: random.Random) -> None:
        for conventions in Conventions:
            classes = classified(cohort, SymbolicGrader(), conventions)
            assert classified(rng.sample(cohort, len(cohort)), SymbolicGrader(), conventions) == classes
            assert classes.class_of.keys() == set(cohort)

    assert len(real_cohorts()) == 600
    on_all_cohorts(check)


@needs_rollouts
def test_what_is_one_in_a_real_cohort_is_never_proved_different_by_itself() -> None:
    def check(cohort: list[str], _: random.Random) -> None:
        for conventions in Conventions:
            for one in partition(classified(cohort, SymbolicGrader(), conventions)):
                for answer in one:
                    for other in one:
                        proof = compare(read_answer(answer, conventions), read_answer(other, conventions))
                        assert proof is Proof.SAME, (answer, other)

    on_all_cohorts(check)


@needs_rollouts
def test_answers_that_can_be_meant_in_one_way_part_alike_in_every_part_of_a_real_cohort() -> None:
    """Where nobody is in doubt and no mark stands, a part of a cohort falls into the parts of its classes."""

    def check(cohort: list[str], rng: random.Random) -> None:
        readings = {answer: read_answer(answer) for answer in cohort}
        sure = [answer for answer, reading in readings.items() if len(reading.meanings) == 1 and not reading.marks]
        some = rng.sample(sure, rng.randint(0, len(sure)))
        whole = partition(classified(sure, SymbolicGrader()))
        assert partition(classified(some, SymbolicGrader())) == {each & set(some) for each in whole} - {frozenset()}

    on_all_cohorts(check)


def test_a_flood_of_questions_goes_undecided_when_the_judges_time_is_used_up() -> None:
    now_s = [100.0]
    judge = Oracle(Verdict.SAME, cpu_s=0.3)
    grader = SymbolicGrader(judge, allowances=Allowances(lambda: now_s[0], burst_s=1.0, per_s=0.5))

    def undecided(number: int) -> int:
        return classified([rf"\sum_{{n}} f_{{{number}}}(n)", "1"], grader).undecided

    assert [undecided(number) for number in range(6)] == [0, 0, 0, 0, 1, 1]
    now_s[0] += 1.0
    assert [undecided(number) for number in range(6, 9)] == [0, 1, 1]
    assert len(judge.asked) == 5


@pytest.mark.parametrize("conventions", Conventions)
@given(answers=st.lists(st.sampled_from([*CLEAR, *OPEN, "0.5", "7", "-7", "x" * 65]), min_size=1, max_size=5))
def test_what_is_graded_at_once_is_graded_alike(conventions: Conventions, answers: list[str]) -> None:
    """The grader of small jobs gives up, or says what the other says."""
    grader = SymbolicGrader()
    work = grader.work("r")

    async def graded() -> tuple[tuple[Classes, Matches] | None, tuple[Classes, Matches]]:
        prompt = grader.at_once(work)
        expected = await grader.classify(answers, conventions), await grader.match(answers[0], answers, conventions)
        try:
            return (
                await prompt.classify(answers, conventions),
                await prompt.match(answers[0], answers, conventions),
            ), (expected)
        except NotAtOnceError:
            return None, expected

    at_once, expected = asyncio.run(work.measured(graded()))
    assert at_once is None or at_once == expected
    plain = {"6", "12", "0.5", "7", "-7"}
    assert at_once is not None or not set(answers) <= plain
