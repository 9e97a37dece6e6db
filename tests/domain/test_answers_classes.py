"""Laws of classes: a function of the set of answers, whatever order they come in and whatever a judge says."""

import random
from collections.abc import Mapping, Sequence

import pytest
from co_rewarding_schema.vocabulary import Conventions
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_service.domain.answers.comparing import (
    ClassMerging,
    Group,
    Proof,
    compare,
    contradict,
    group,
    may_be_equal,
    pairs_in_doubt,
)
from reward_service.domain.answers.reading import read_answer
from tests.domain.answer_texts import texts
from tests.domain.answer_trees import latex, trees

POOL = [
    "12", "12 cm", r"12\text{ m}", r"12\text{ cm}", "x=12", "y=12", r"50\%", "50", "1/2", "0.5", "1,2", "2,1", "(1,2)",
    r"\{1,2\}", "1,234", "1234", "(1,234)", r"\sqrt{x^2}", "|x|", "x", r"\sum_{k=1}^{3} k", "6", r"\int_0^1 x\,dx",
    r"\log 100", "2", r"\lg 100", "x^2<4", "-2<x<2", r"(-2,2)", r"\{x: |x|<2\}", r"e^{i\pi}", "-1", "(A)", "A",
    "(A) 12",
    "A. 7", r"30^\circ", "30", r"\frac{\pi}{6}", r"\sin 30", r"\sin 30^\circ", "no", "yes", r"\$5", "5", "5 dollars",
    "2:3", "4:6", r"\frac23", r"\infty", "1/0", "undefined", "", r"\frac{1}{1+\sin x}", r"\frac{1}{\sin x+1}",
    r"\cos^2 x+\sin^2 x", "1", r"\tan x", r"\frac{\sin x}{\cos x}", "x>1", r"(1,\infty)", "t>1", "52_8", "52", "42",
]  # fmt: skip
RANDOM = st.randoms(use_true_random=False)
BOTH = st.sampled_from(Conventions)


@st.composite
def cohorts(draw: st.DrawFn) -> list[str]:
    """Answers that are much alike, some of them twice."""
    rng = draw(RANDOM)
    made = [latex(tree, rng) for tree in draw(st.lists(trees(2), max_size=3)) for _ in range(2)]
    return made + draw(st.lists(st.sampled_from(POOL), min_size=1, max_size=12)) + draw(st.lists(texts(), max_size=2))


def open_pairs(groups: Sequence[Group]) -> tuple[list[tuple[int, int]], int]:
    pairs, unseen = pairs_in_doubt(groups)
    return [(one, other) for one, other in pairs if may_be_equal(groups[one], groups[other])], unseen


def merge(groups: Sequence[Group], same: Sequence[tuple[int, int]]) -> Mapping[str, str]:
    joining = ClassMerging(groups)
    for _ in joining.steps(same):
        pass
    assert joining.decided == len(same)
    return joining.classes()


def groups_of(answers: list[str], conventions: Conventions) -> list[Group]:
    return group(read_answer(answer, conventions) for answer in answers)


def partition(class_of: Mapping[str, str]) -> set[frozenset[str]]:
    return {frozenset(answer for answer in class_of if class_of[answer] == name) for name in class_of.values()}


def texts_of(each: Group) -> frozenset[str]:
    return frozenset(reading.text for reading in each.members)


@settings(max_examples=150, deadline=None)
@given(cohorts(), RANDOM, BOTH)
def test_groups_depend_on_the_set_of_answers_alone(
    answers: list[str], rng: random.Random, conventions: Conventions
) -> None:
    once = groups_of(sorted(set(answers)), conventions)
    again = groups_of(rng.sample(answers, len(answers)), conventions)
    assert [(each.name, each.text, texts_of(each)) for each in once] == [
        (each.name, each.text, texts_of(each)) for each in again
    ]


@settings(max_examples=150, deadline=None)
@given(cohorts(), RANDOM, BOTH)
def test_every_answer_has_one_class_and_classes_are_whole_groups(
    answers: list[str], rng: random.Random, conventions: Conventions
) -> None:
    groups = groups_of(answers, conventions)
    pairs, unseen = open_pairs(groups)
    same = [pair for pair in pairs if rng.random() < 0.5]
    class_of = merge(groups, same)
    assert unseen == 0
    assert class_of.keys() == set(answers)
    assert sum(len(texts_of(each)) for each in groups) == len(set(answers))
    for each in groups:
        assert len({class_of[text] for text in texts_of(each)}) == 1


@settings(max_examples=150, deadline=None)
@given(cohorts(), RANDOM, BOTH)
def test_the_order_of_answers_and_of_pairs_makes_no_difference(
    answers: list[str], rng: random.Random, conventions: Conventions
) -> None:
    groups = groups_of(answers, conventions)
    same = [pair for pair in open_pairs(groups)[0] if rng.random() < 0.5]
    named = {frozenset((groups[one].name, groups[other].name)) for one, other in same}
    shuffled = groups_of(rng.sample(answers, len(answers)), conventions)
    again = [
        (one, other)
        for one, other in open_pairs(shuffled)[0]
        if frozenset((shuffled[one].name, shuffled[other].name)) in named
    ]
    assert merge(groups, rng.sample(same, len(same))) == merge(groups, same)
    assert partition(merge(shuffled, rng.sample(again, len(again)))) == partition(merge(groups, same))


@settings(max_examples=150, deadline=None)
@given(cohorts(), RANDOM, BOTH)
def test_no_judge_joins_what_is_proved_different(
    answers: list[str], rng: random.Random, conventions: Conventions
) -> None:
    """Any pairs at all are called the same here, those of proved difference too."""
    groups = groups_of(answers, conventions)
    every = [(one, other) for one in range(len(groups)) for other in range(one + 1, len(groups))]
    class_of = merge(groups, [pair for pair in every if rng.random() < 0.7])
    for one, other in every:
        left, right = groups[one], groups[other]
        if class_of[left.text] != class_of[right.text]:
            continue
        assert not any(contradict(a, b) for a in left.members for b in right.members)
        if all(len(reading.meanings) == 1 for each in (left, right) for reading in each.members):
            assert all(compare(a, b) is Proof.OPEN for a in left.members for b in right.members)


@settings(max_examples=150, deadline=None)
@given(cohorts(), BOTH)
def test_open_pairs_are_those_that_nothing_proves_different(answers: list[str], conventions: Conventions) -> None:
    groups = groups_of(answers, conventions)
    pairs, _ = open_pairs(groups)
    assert pairs == sorted(set(pairs))
    assert all(one < other for one, other in pairs)
    for one in range(len(groups)):
        for other in range(one + 1, len(groups)):
            readings = [*groups[one].members, *groups[other].members]
            if all(len(reading.meanings) == 1 for reading in readings):
                proofs = {compare(a, b) for a in groups[one].members for b in groups[other].members}
                assert ((one, other) in pairs) == (proofs == {Proof.OPEN}), (groups[one].name, groups[other].name)


def test_pairs_that_are_too_many_are_counted_and_not_looked_at() -> None:
    groups = groups_of([rf"\sum_{{k=1}}^{{{n}}} k" for n in range(150)], Conventions.LENIENT)
    pairs, unseen = open_pairs(groups)
    assert len(groups) == 150
    assert len(pairs) + unseen == 150 * 149 // 2
    assert unseen > 0


@settings(max_examples=100, deadline=None)
@given(cohorts(), BOTH)
def test_an_answer_alone_keeps_a_class_of_its_own(answers: list[str], conventions: Conventions) -> None:
    """Whatever is classified by itself is one class, though others in its cohort would have parted it."""
    for answer in answers:
        assert len(groups_of([answer, answer], conventions)) == 1


@settings(max_examples=100, deadline=None)
@given(cohorts(), BOTH)
def test_certain_answers_are_grouped_by_their_keys_and_leave_no_doubt(
    answers: list[str], conventions: Conventions
) -> None:
    readings = [read_answer(answer, conventions) for answer in {*answers, "12"}]
    certain = [reading for reading in readings if reading.is_certain]
    groups = group(certain)
    assert {reading.text: each.name for each in groups for reading in each.members} == {
        reading.text: reading.meanings[0].key for reading in certain
    }
    assert pairs_in_doubt(groups) == ([], 0)


@pytest.mark.parametrize("answer", ["12 cm", "x=12", r"50\%", r"\sum_{k=1}^{3} k", r"\sqrt{x^2}"])
def test_an_answer_that_others_may_change_is_not_certain(answer: str) -> None:
    assert not read_answer(answer).is_certain


@pytest.mark.parametrize("answer", ["-12", r"\frac{-3}{6}", "3/6", "-.5", "2e5", "٣/٤"])
def test_a_bare_number_is_read_as_one_in_wrapping(answer: str) -> None:
    bare, wrapped = read_answer(answer), read_answer(f"${answer}.$")
    assert (bare.text, bare.meanings, bare.marks) == (answer, wrapped.meanings, wrapped.marks)
    assert bare.is_certain
