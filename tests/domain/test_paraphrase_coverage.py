"""How a paraphrase covers its original: what was left out finds neither words nor room, what was put otherwise does."""

import pytest

from reward_service.domain.paraphrases.alignment import renamings
from reward_service.domain.paraphrases.coverage import coverage_of
from reward_service.domain.paraphrases.elements import elements_of
from reward_service.domain.paraphrases.reading import read_text
from reward_service.domain.paraphrases.received import receipts

QUESTION = (
    "A shop sells 12 red lamps and 15 green lamps. Before the sale, the owner puts two lamps of each color aside for "
    "her sister. Every lamp costs 30 dollars. How much are all the other lamps?"
)
WHOLE = (
    "There are 12 red lamps and 15 green ones in a store. The owner keeps two lamps of each color for her sister "
    "before the sale begins. The price of a lamp is 30 dollars. What do all the other lamps cost?"
)
LEFT_OUT = WHOLE.replace("The owner keeps two lamps of each color for her sister before the sale begins. ", "")


def coverage(original, paraphrase):
    return coverage_of(read_text(original), read_text(paraphrase))


def test_a_sentence_left_out_scores_more_and_its_stretch_is_named():
    whole, less = coverage(QUESTION, WHOLE), coverage(QUESTION, LEFT_OUT)

    assert whole.score < 0 < less.score
    assert "aside for her sister" in QUESTION[less.stretch.start : less.stretch.end]
    assert less.measures.missed > whole.measures.missed
    assert less.measures.owed > whole.measures.owed
    assert less.measures.fewer > whole.measures.fewer == 0


def test_other_words_in_the_same_place_count_for_the_stretch():
    otherwise = LEFT_OUT.replace(
        "The price", "Somebody from her family gets a pair in either shade prior to that event. The price"
    )

    assert coverage(QUESTION, otherwise).score < coverage(QUESTION, LEFT_OUT).score


IDLE = [
    "Express your answer as a common fraction in lowest terms.",
    "The answer is in the form $\\frac{k}{m}$. Please provide the value of k + m.",
]


@pytest.mark.parametrize("idle", IDLE)
def test_what_says_how_to_answer_may_be_left_out(idle):
    assert coverage(f"{QUESTION} {idle}", WHOLE).score == pytest.approx(coverage(QUESTION, WHOLE).score, abs=0.2)


ASIDES = [
    "Note that a lamp without a switch is not sold to anybody.",
    "(Remember that lamps of any other color were never offered at all.)",
    "For example, a lamp without a switch is not sold to anybody.",
]


@pytest.mark.parametrize("aside", ASIDES)
def test_a_remark_weighs_less_than_a_condition(aside):
    plain = aside.strip("()").removeprefix("Note that ").removeprefix("Remember that ").removeprefix("For example, ")
    condition = plain[0].upper() + plain[1:]

    missing = [coverage(QUESTION.replace(" Every", f" {text} Every"), WHOLE).score for text in (aside, condition)]

    assert missing[0] < missing[1]


def test_titles_have_no_weight_and_choices_are_not_there():
    titled = elements_of(read_text("7. (10 points) How many of them are red?"))
    offered = elements_of(read_text("Which is it? (A) 14 (B) 15 (C) 16"))

    assert {each.text: each.weight for each in titled if each.weight == 0}.keys() >= {"#7", "#10"}
    assert all(each.weight > 0 for each in titled if each.text in ("many", "red"))
    assert "#14" not in {each.text for each in offered}


@pytest.mark.parametrize(("original", "paraphrase"), [("", ""), ("", WHOLE), ("?", "7")])
def test_of_nothing_nothing_is_left_out(original, paraphrase):
    assert coverage(original, paraphrase).measures.lack == 0


def test_people_may_get_other_names():
    question = QUESTION.replace("the owner", "Wilhelmina Brandt")
    told = WHOLE.replace("The owner", "Apollonia Rex")

    assert coverage(question, told).score < 0


def test_of_a_story_told_with_other_things_only_what_is_left_out_is_missing():
    told = WHOLE.replace("lamps", "chairs").replace("lamp", "chair").replace("owner", "boss")
    less = told.replace("The boss keeps two chairs of each color for her sister before the sale begins. ", "")

    assert coverage(QUESTION, told).score < 0 < coverage(QUESTION, less).score


def test_words_that_stand_in_the_same_places_are_renamed_and_others_are_not():
    there, here = (
        elements_of(read_text(text))
        for text in (
            "The red truck has 12 sacks. One truck is full. Each truck weighs 9 tons, and sacks weigh more.",
            "The red lorry has 12 sacks. One lorry is full. Each lorry weighs 9 tons, and bags weigh more.",
        )
    )

    assert renamings(there, here) == {"lorry": "truck"}


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_a_sentence_that_is_left_out_receives_least(left_out):
    sentences = QUESTION.split(". ")
    told = ". ".join(part for at, part in enumerate(WHOLE.split(". ")) if at != left_out)
    original, paraphrase = read_text(QUESTION), read_text(told)

    found = receipts(original, paraphrase, elements_of(original), elements_of(paraphrase))
    most = max(found, key=lambda each: each.owed)

    assert sentences[left_out].endswith(QUESTION[most.place.start : most.place.end])
    assert most.owed > most.weight / 4


def test_what_one_sentence_receives_is_all_that_the_paraphrase_says():
    original, paraphrase = read_text(QUESTION), read_text(WHOLE)
    there, here = elements_of(original), elements_of(paraphrase)

    found = receipts(original, paraphrase, there, here)

    assert sum(each.weight for each in there) == pytest.approx(sum(each.weight for each in found), abs=5)
    assert sum(each.received for each in found) <= sum(each.weight for each in here) + 1e-9


def test_a_text_without_words_receives_nothing():
    assert receipts(read_text("?"), read_text("7"), [], []) == []


def test_a_question_that_is_put_into_the_sentence_before_is_not_missed():
    question = "A positive integer $n$ is divisible by 12 and by 15. Find the smallest value of $n$."
    told = "Which is the smallest positive integer $n$ that is divisible by 12 and by 15?"

    assert coverage(question, told).score < 1.0


@pytest.mark.parametrize(
    "idle",
    ["Write the equation in slope-intercept form.", "Your answer should be an integer.", "See the figure below."],
)
def test_what_only_gives_the_form_or_points_at_a_figure_has_no_weight(idle):
    elements = elements_of(read_text(f"{QUESTION} {idle}"))

    assert {each.weight for each in elements if each.start > len(QUESTION)} == {0.0}
