"""The tiny task: both views have the same answer, and what is held out is never trained on."""

import re
from itertools import pairwise

import pytest
from co_rewarding_trainer.task import (
    OPERATORS,
    VIEWS,
    WORDINGS,
    Problem,
    advance,
    boxed_answer,
    draw_problems,
    running_states,
)
from hypothesis import given
from hypothesis import strategies as st

digits = st.integers(0, 9)


@given(st.lists(digits, min_size=2, max_size=8), st.data())
def test_a_chain_keeps_the_last_digit(operands: list[int], data: st.DataObject) -> None:
    operators = tuple(data.draw(st.sampled_from(OPERATORS)) for _ in operands[1:])
    states = list(running_states(tuple(operands), operators))
    assert len(states) == len(operands)
    for (before, after), operator, operand in zip(pairwise(states), operators, operands[1:], strict=True):
        assert after == eval(f"{before} {operator} {operand}") % 10 == advance(before, operator, operand)


@given(st.integers(0, 10**6))
def test_both_views_tell_the_same_chain_in_other_words(seed: int) -> None:
    (problem,) = draw_problems(1, str(seed))
    told = [problem.prompt(view) for view in VIEWS]
    assert told[0] != told[1]
    assert len({len(prompt.split()) for prompt in told}) == 1
    assert _read(told[0]) == _read(told[1]) == (problem.operands, problem.operators)


def _read(prompt: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    opening, *words, equals = prompt.split()
    assert equals == "="
    wording = next(each for each in WORDINGS if each.opening == opening)
    operands = tuple(wording.digits.index(word) for word in words[::2])
    return operands, tuple(OPERATORS[wording.operators.index(word)] for word in words[1::2])


def test_what_is_held_out_is_never_drawn_for_training() -> None:
    trained = {problem.key for problem in draw_problems(2000, "training")}
    held_out = {problem.key for problem in draw_problems(400, "evaluation", held_out=True)}
    assert not trained & held_out
    assert draw_problems(5, "training") == draw_problems(5, "training")
    assert draw_problems(5, "training") != draw_problems(5, "another")


def test_a_chain_by_hand() -> None:
    problem = Problem((8, 5, 2), ("*", "+"), (WORDINGS[1], WORDINGS[0]))
    assert problem.prompt("original") == "start eight times five plus two ="
    assert problem.prompt("paraphrase") == "compute 8 * 5 + 2 ="
    assert problem.answer == "2"


@pytest.mark.parametrize(
    ("text", "answer"), [("8 0 2 \\boxed{2}", "2"), ("8 0 2 \\boxed{2", None), ("8 0 2", None), ("\\boxed{}", None)]
)
def test_an_answer_needs_its_end(text: str, answer: str | None) -> None:
    assert boxed_answer(text) == answer


def test_misreadings_differ_between_the_wordings() -> None:
    misread = [set(wording.misread.items()) for wording in WORDINGS]
    assert all(misread)
    assert not misread[0] & misread[1] | misread[1] & misread[2] | misread[0] & misread[2]
    assert all(re.fullmatch(r"\S+", word) for wording in WORDINGS for word in (*wording.digits, *wording.operators))
