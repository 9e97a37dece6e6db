"""Clues: a word that is nearly always kept says much where it is gone, and one that is often exchanged says little."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.paraphrases.clues import GRADES, Clue, clues_of, kind_of, missed_of
from reward_service.domain.paraphrases.coverage import WEIGHTS, coverage_of, without_letters
from reward_service.domain.paraphrases.elements import elements_of
from reward_service.domain.paraphrases.reading import read_text
from reward_service.domain.paraphrases.received import sentences_in
from reward_service.domain.paraphrases.symbols import symbols_of

DAYS = (
    "We write one number every workday. On the first Monday the number is ten and a half. On every Tuesday and every "
    "Thursday the number is one third of what it was on the workday before. On every Monday, Wednesday and Friday the "
    "number is double what it was on the workday before. What is the sum of all numbers?"
)
TOLD = (
    "Each weekday a value is logged. The value on the first Monday is 10.5. Every Tuesday and every Thursday, the "
    "value is one third of that of the weekday before. On Mondays, Wednesdays and Fridays, the value is twice that of "
    "the previous weekday. Find the total of all values."
)
LESS = TOLD.replace("On Mondays, Wednesdays and Fridays, the value is twice that of the previous weekday. ", "")


def read(original, paraphrase):
    texts = read_text(original), read_text(paraphrase)
    there, here = (without_letters(elements_of(each)) for each in texts)
    sentences = list(sentences_in(texts[0], there))
    return clues_of(*texts, there, here, sentences), there, sentences


def test_a_sentence_whose_words_other_sentences_have_is_missed_where_it_is_left_out():
    whole, less = (missed_of(*read(DAYS, text)) for text in (TOLD, LESS))

    assert less[0] > whole[0]
    assert "double" in DAYS[less[1].start : less[1].end]
    assert coverage_of(read_text(DAYS), read_text(LESS)).score > 1 > coverage_of(read_text(DAYS), read_text(TOLD)).score


def test_the_first_sentence_is_never_the_one_that_is_missed():
    clues, there, sentences = read(DAYS, "Find it.")

    assert missed_of(clues, there, sentences)[1].start > 0
    assert missed_of(clues, there, sentences[:1])[0] < 0


@pytest.mark.parametrize("text", ["random", "midpoint", "positive", "#17", "=", "zwieback"])
@pytest.mark.parametrize("repeated", [False, True])
def test_what_is_gone_says_more_for_a_sentence_left_out_than_what_is_surely_there(text, repeated):
    gone, there = (Clue(text, repeated, grade, 1.0).evidence for grade in (0, len(GRADES)))

    assert gone > 0 > there


def test_a_word_that_is_nearly_always_kept_says_more_than_one_that_is_often_exchanged():
    kept, exchanged = (Clue(text, False, 0, 1.0).evidence for text in ("random", "zwieback"))

    assert kept > 5 * exchanged
    assert [kind_of(text) for text in ("zwieback", "random", "the", "#2", "#17", "=")] == [
        "?unknown", "?known", "?function", "?small", "?number", "?sign",
    ]  # fmt: skip


def test_the_grades_rise():
    assert all(one < other for one, other in pairwise(GRADES))


@given(st.text(alphabet="abcxyz 12.?$=", max_size=200), st.text(alphabet="abcxyz 12.?$=", max_size=200))
def test_every_element_has_a_clue_and_the_measures_are_finite(original, paraphrase):
    clues, there, _ = read(original, paraphrase)
    measures = coverage_of(read_text(original), read_text(paraphrase)).measures

    assert [each.text for each in clues] == [each.text for each in there]
    assert all(0 <= each.grade <= len(GRADES) for each in clues)
    assert all(abs(each) < 1e4 for each in measures)
    assert len(WEIGHTS) == len(measures)


def test_symbols_count_what_is_named_and_not_used_and_equations_that_are_gone():
    question = "Let $x+y=7$ and $x-y=z$. Find $x+z$ if $z>0$."
    renamed, less = question.replace("x", "a").replace("y", "b").replace("z", "c"), "Let $x+y=7$. Find $x+z$."

    kept, lost = (
        symbols_of(elements_of(read_text(question)), elements_of(read_text(text))) for text in (renamed, less)
    )

    assert kept == (0.0, 0.0)
    assert lost.lone == 2
    assert lost.relations > 0.5
