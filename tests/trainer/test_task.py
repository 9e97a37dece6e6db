"""What a task promises: one answer for both views, problems that are worked out right, nothing held out leaks."""

import random

import pytest
from co_rewarding_trainer.chains import WORDINGS, Chain, Step, advance
from co_rewarding_trainer.task import (
    VIEWS,
    Mistakes,
    Task,
    TaskProblem,
    boxed_answer,
    draw_pairs,
    draw_problem,
    draw_problems,
)
from co_rewarding_trainer.task_table import TASKS
from hypothesis import given
from hypothesis import strategies as st

tasks = st.sampled_from(list(TASKS.values()))
seeds = st.integers(0, 2**32).map(random.Random)
told_in_words = st.sampled_from([task for task in TASKS.values() if task.words])
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    steps = st.builds(Step, st.sampled_from("+-*"), st.integers(1, 9))
    return Chain(draw(st.integers(0, 9)), tuple(draw(st.lists(steps, min_size=1, max_size=6))))


def read_back(told: str) -> Chain:
    """A chain, from nothing but its words."""
    opening, *words, _ = told.split()
    wording = next(each for each in WORDINGS if each.opening == opening)
    first = words.pop(-1 if wording.backwards else 0)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    if wording.backwards:
        pairs = [(operator, digit) for digit, operator in reversed(pairs)]
    steps = [Step("+-*"[wording.operators.index(operator)], wording.digits.index(digit)) for operator, digit in pairs]
    return Chain(wording.digits.index(first), tuple(steps))


@given(chains(), st.sampled_from(range(len(WORDINGS))))
def test_every_wording_tells_the_whole_chain(chain: Chain, wording: int) -> None:
    assert read_back(chain.told(wording)) == chain


@given(chains())
def test_the_answer_is_the_last_digit_of_the_chain_worked_exactly(chain: Chain) -> None:
    exact = chain.first
    for operator, operand in chain.steps:
        exact = {"+": exact.__add__, "-": exact.__sub__, "*": exact.__mul__}[operator](operand)
    assert chain.answer == str(exact % 10)


def test_a_chain_by_hand() -> None:
    chain = Chain(8, (Step("*", 5), Step("+", 2), Step("-", 3)))
    assert list(chain.states()) == [8, 0, 2, 9]
    assert advance(2, Step("-", 3)) == 9
    assert chain.worked(Mistakes(), random.Random(0)).text == "* 5 0 + 2 2 - 3 9 \\boxed{9}"
    assert chain.worked(Mistakes(habit={5: 6}, habit_rate=1.0), random.Random(0)).text.startswith("* 6 8 + 2 0 ")
    assert [chain.told(wording) for wording in range(4)] == [
        "compute 8 * 5 + 2 - 3 =",
        "start eight times five plus two minus three =",
        "find 3 less_than 2 more_than 5 groups_of 8 =",
        "tom_has eight times_over five gets two loses three =",
    ]


@given(tasks, seeds)
def test_what_is_worked_without_mistakes_is_right_and_short_enough(task: Task, rng: random.Random) -> None:
    for problem in (task.draw(rng), task.draw_example(rng)):
        worked = problem.worked(Mistakes(), rng)
        assert worked.answer == boxed_answer(worked.text) == problem.answer
        assert len(worked.steps) + 3 < task.max_new_tokens, "the halves of the box and the answer, and room to go wrong"


@given(told_in_words, seeds)
def test_a_task_says_nothing_but_its_words(task: Task, rng: random.Random) -> None:
    assert task.words is not None
    problem = task.draw(rng)
    slipping = Mistakes(slip_rate=0.5, habit={digit: 9 - digit for digit in range(10)}, habit_rate=0.5)
    said = [problem.told(wording) for wording in range(len(task.wordings))]
    assert len({told.partition(" ")[0] for told in said}) == len(said), "the first word tells the wording"
    for text in (*said, " ".join(problem.worked(slipping, rng).steps)):
        assert set(text.split()) <= set(task.words)
    assert len(set(task.words)) == len(task.words)


@every_task
def test_training_and_held_out_problems_are_disjoint(task: Task) -> None:
    training = {problem.key for problem in draw_problems(task, 2000, "training")}
    held_out = {problem.key for problem in draw_problems(task, 400, "evaluation", held_out=True)}
    assert (len(training), len(held_out)) == (2000, 400), "each problem once"
    assert not training & held_out


@every_task
def test_held_out_does_not_depend_on_the_wording(task: Task) -> None:
    for problem in draw_problems(task, 50, "evaluation", held_out=True):
        assert TaskProblem(problem.problem, (2, 0)).held_out


@every_task
def test_the_same_seed_draws_the_same_problems(task: Task) -> None:
    assert draw_problems(task, 20, "a") == draw_problems(task, 20, "a") != draw_problems(task, 20, "b")


@every_task
def test_each_wording_has_habits_of_its_own(task: Task) -> None:
    misread = [digit for wording in task.wordings for digit in wording.habit]
    assert len(misread) == len(set(misread)) > 0


@given(tasks, seeds)
def test_both_views_are_told_in_different_wordings(task: Task, rng: random.Random) -> None:
    problem = draw_problem(task, rng)
    original, paraphrase = (problem.prompt(view) for view in VIEWS)
    assert original.split()[0] != paraphrase.split()[0]


def test_only_a_complete_box_holds_an_answer() -> None:
    assert boxed_answer("8 0 \\boxed{0} 2 \\boxed{2}") == "2"
    assert boxed_answer("8 0 2 \\boxed{2") is None
    assert boxed_answer("8 0 2") is None


@given(tasks, st.integers(), st.sampled_from([0.0, 0.1, 0.4, 1.0]))
def test_a_wrong_paraphrase_is_another_question_under_the_same_name(task: Task, seed: int, share: float) -> None:
    pairs = draw_pairs(task, 20, f"seed {seed}", share)
    assert draw_pairs(task, 20, f"seed {seed}", share) == pairs
    assert len([pair for pair in pairs if pair.mistold is not None]) == round(share * 20)
    for pair in pairs:
        original, paraphrase = (pair.asked(view) for view in VIEWS)
        assert original.question_id == paraphrase.question_id == pair.problem.key
        assert original.problem is pair.problem
        assert not paraphrase.problem.held_out
        assert (original.problem.answer == paraphrase.problem.answer) is (pair.mistold is None)
        assert (original.problem.key == paraphrase.problem.key) is (pair.mistold is None)
