"""The one lexer: a text's tokens stand in it in order, and no text takes long."""

import time

import pytest
from hypothesis import example, given, settings

from reward_service.domain.answers.reading import read_answer
from reward_service.domain.answers.tokens import tokens_of
from reward_service.domain.answers.values import NotReadError
from reward_service.domain.paraphrases.reading import MOST_CHARS
from reward_service.domain.paraphrases.tokens import TextToken, segments_of
from reward_service.domain.paraphrases.tokens import tokens_of as text_tokens_of
from tests.domain.answer_texts import texts

LIMIT_S = 0.15
NOISE_S = 0.02
MOST = 1_000_000
UNITS = (
    " ", "\n", "x", "1", "1,234,", "1{,}", r"\text{", r"\text ", r"\text{a}", "{", "$ ", "\\", r"\\[", r"\hspace{a}",
    "...", r"\begin{a}", r"\begin  ", ".1", "'s", "1st", "½", "é", "\u0301", "<=", r"\frac12", r"\overline{1",
)  # fmt: skip


def tokens(text: str) -> list[TextToken]:
    return text_tokens_of(text, segments_of(text))


def cpu_s(text: str) -> float:
    started_s = time.process_time()
    tokens(text)
    return time.process_time() - started_s


@settings(max_examples=300, deadline=None)
@given(texts())
@example("$\\text{a\nb}$ \n\n")
@example("\\frac123 $\\frac123$ $\\log_432$ $\\mathbf{x\\sin y}$")
def test_the_tokens_of_a_text_stand_in_it_in_order(text: str) -> None:
    end = 0
    for token in tokens(text):
        assert end <= token.start < token.end <= len(text)
        end = token.end


@pytest.mark.timed
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("around", ["{}", "${}$", "${}", "a {} b"])
def test_a_text_of_one_thing_takes_little_time(unit: str, around: str) -> None:
    half, whole = (around.format(unit * (size // len(unit))) for size in (MOST_CHARS // 2, MOST_CHARS))
    taken_s = min(cpu_s(whole), cpu_s(whole))
    assert taken_s < LIMIT_S
    assert taken_s < 3 * min(cpu_s(half), cpu_s(half)) + NOISE_S


@pytest.mark.timed
@pytest.mark.parametrize("unit", UNITS)
def test_an_answer_of_a_million_characters_is_not_read(unit: str) -> None:
    text = unit * (MOST // len(unit))
    started_s = time.process_time()
    reading = read_answer(text)
    assert time.process_time() - started_s < LIMIT_S
    assert reading.text == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"x\le 2", "x<=2"), (r"\dfrac12", r"\frac12"), ("1, 2, ...", r"1, 2, \ldots"), (r"a\ne b", r"a\neq b"),
        (r"\left(x\right)", "(x)"), (r"x\times y", "x*y"),
    ],
)  # fmt: skip
def test_notations_that_mean_the_same_are_the_same_tokens(one: str, other: str) -> None:
    assert [token.kind for token in tokens_of(one)] == [token.kind for token in tokens_of(other)]
    said, other_said = ([token.text for token in tokens(f"${text}$")] for text in (one, other))
    assert said == other_said


@pytest.mark.parametrize("text", ["é", "x\u0301", "∫x", "5€"])
def test_letters_and_signs_that_no_answer_holds_are_refused(text: str) -> None:
    with pytest.raises(NotReadError):
        tokens_of(text)
