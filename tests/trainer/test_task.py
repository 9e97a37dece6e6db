"""What the tiny task promises: one answer for both views, chains that are worked out right, nothing held out leaks."""

import random

from co_rewarding_trainer.task import (
    OPERATORS,
    VIEWS,
    WORDINGS,
    TaskProblem,
    advance,
    boxed_answer,
    draw_pairs,
    draw_problem,
    draw_problems,
    running_states,
)
from hypothesis import given
from hypothesis import strategies as st

problems = st.integers().map(lambda seed: draw_problem(random.Random(seed)))


def read_back(prompt: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Operands and operators, from nothing but the words."""
    opening, *words, _ = prompt.split()
    wording = next(each for each in WORDINGS if each.opening == opening)
    operands = tuple(wording.digits.index(word) for word in words[::2])
    return operands, tuple(OPERATORS[wording.operators.index(word)] for word in words[1::2])


@given(problems)
def test_both_views_tell_the_same_chain_in_different_words(problem: TaskProblem) -> None:
    original, paraphrase = (problem.prompt(view) for view in VIEWS)
    assert read_back(original) == read_back(paraphrase) == (problem.operands, problem.operators)
    assert original.split()[0] != paraphrase.split()[0]
    assert len(original.split()) == len(paraphrase.split())


@given(problems)
def test_the_answer_is_the_last_digit_of_the_chain_worked_exactly(problem: TaskProblem) -> None:
    exact = problem.operands[0]
    for operator, operand in zip(problem.operators, problem.operands[1:], strict=True):
        exact = {"+": exact.__add__, "-": exact.__sub__, "*": exact.__mul__}[operator](operand)
    assert problem.answer == str(exact % 10)


def test_a_chain_by_hand() -> None:
    assert list(running_states((8, 5, 2, 3), ("*", "+", "-"))) == [8, 0, 2, 9]
    assert advance(2, "-", 3) == 9


def test_training_and_held_out_problems_are_disjoint() -> None:
    training = {problem.key for problem in draw_problems(4000, "training")}
    held_out = {problem.key for problem in draw_problems(400, "evaluation", held_out=True)}
    assert len(held_out) == 400
    assert not training & held_out


def test_held_out_does_not_depend_on_the_wording() -> None:
    for problem in draw_problems(50, "evaluation", held_out=True):
        assert TaskProblem(problem.operands, problem.operators, (WORDINGS[2], WORDINGS[0])).held_out


def test_the_same_seed_draws_the_same_problems() -> None:
    assert draw_problems(20, "a") == draw_problems(20, "a") != draw_problems(20, "b")


def test_each_wording_misreads_digits_of_its_own() -> None:
    misread = [digit for wording in WORDINGS for digit in wording.misread]
    assert len(misread) == len(set(misread))


def test_only_a_complete_box_holds_an_answer() -> None:
    assert boxed_answer("8 0 \\boxed{0} 2 \\boxed{2}") == "2"
    assert boxed_answer("8 0 2 \\boxed{2") is None
    assert boxed_answer("8 0 2") is None


@given(st.integers(), st.sampled_from([0.0, 0.1, 0.4, 1.0]))
def test_a_wrong_paraphrase_is_another_question_under_the_same_name(seed: int, share: float) -> None:
    pairs = draw_pairs(20, f"seed {seed}", share)
    assert draw_pairs(20, f"seed {seed}", share) == pairs
    wrong = [pair for pair in pairs if pair.mistold is not None]
    assert len(wrong) == round(share * 20)
    for pair in pairs:
        original, paraphrase = (pair.asked(view) for view in VIEWS)
        assert original.question_id == paraphrase.question_id == pair.problem.key
        assert original.problem is pair.problem
        assert not paraphrase.problem.held_out
        assert (original.problem.answer == paraphrase.problem.answer) is (pair.mistold is None)
        changed = zip(*(read_back(each.prompt)[0] for each in (original, paraphrase)), strict=True)
        assert any(one != other for one, other in changed) is (pair.mistold is not None)
