"""Word problems: each wording tells the whole story, every result is small, and a model reads them."""

import random
import re

from co_rewarding_trainer.task import Mistakes
from co_rewarding_trainer.word_problems import (
    FACTORS,
    MOST,
    OPERANDS,
    STEPS,
    WORD_PROBLEMS,
    WORDINGS,
    WORDS,
    Story,
    Sum,
    draw_story,
)
from hypothesis import given
from hypothesis import strategies as st

stories = st.integers(0, 2**32).map(lambda seed: draw_story(random.Random(seed), STEPS))
places = st.sampled_from(range(len(WORDINGS)))

ADDED = ("gets", "put in", "found", "more from")
TAKEN = ("gives away", "taken out", "lost", "less")
TIMES = ("times",)


def read_back(told: str, *, backwards: bool) -> Story:
    """A story, from nothing but its sentences: every number in its order, and the words beside it."""
    number = "|".join(sorted(WORDS, key=len, reverse=True))
    clauses = [
        (clause, found[-1])
        for clause in re.split(r"[.,?:] ", told.lower())
        if (found := re.findall(rf"\b(\d+|{number})\b", clause))
    ]
    if backwards:
        clauses.reverse()
    (_, first), *rest = [(clause, int(said) if said.isdigit() else WORDS.index(said)) for clause, said in clauses]
    kinds = {"*": TIMES, "+": ADDED, "-": TAKEN}
    steps = [
        Sum(next(kind for kind, marks in kinds.items() if any(mark in clause for mark in marks)), value)
        for clause, value in rest
    ]
    return Story(first, tuple(steps))


@given(stories, places)
def test_every_wording_tells_the_whole_story(story: Story, wording: int) -> None:
    assert read_back(story.told(wording), backwards=WORDINGS[wording].backwards) == story


@given(stories)
def test_the_answer_is_the_sum_worked_from_left_to_right(story: Story) -> None:
    exact = story.first
    for step in story.steps:
        exact = {"+": exact.__add__, "-": exact.__sub__, "*": exact.__mul__}[step.operator](step.operand)
    assert story.answer == str(exact)
    assert all(0 <= state <= MOST for state in story.states())
    assert all(step.operand in (FACTORS if step.operator == "*" else OPERANDS) for step in story.steps)


@given(stories, st.integers())
def test_an_altered_story_differs_in_one_number_and_can_be_told(story: Story, seed: int) -> None:
    other = story.altered(random.Random(seed))
    assert other.can_be_told
    assert [step.operator for step in other.steps] == [step.operator for step in story.steps]
    numbers = [(each.first, *(step.operand for step in each.steps)) for each in (story, other)]
    assert sum(was != now for was, now in zip(*numbers, strict=True)) <= 1


def test_a_story_by_hand() -> None:
    story = Story(8, (Sum("+", 5), Sum("-", 2)))
    assert story.worked(Mistakes(), random.Random(0)).text == "8+5=13 13-2=11 \\boxed{11}"
    misread = Mistakes(habit={5: 6}, habit_rate=1.0)
    assert story.worked(misread, random.Random(0)).text == "8+6=14 14-2=12 \\boxed{12}"
    assert [story.told(wording) for wording in range(4)] == [
        "Anna has 8 apples. Then Anna gets 5 more. Then Anna gives away 2. How many apples does Anna have? Answer:",
        "At first there are eight apples in the basket of Anna. Five are put in. Two are taken out. How many are in it?"
        " Answer:",
        "How many apples are left for Anna in the end? Before that, 2 were lost. Before that, 5 were found. Before all"
        " of it there were 8. Answer:",
        "Count the apples of Anna: eight at home, and five more from a friend, less two that were bad, what is the"
        " count? Answer:",
    ]


@given(stories, st.integers())
def test_a_slip_is_near_the_right_result_and_is_carried_on(story: Story, seed: int) -> None:
    worked = story.worked(Mistakes(slip_rate=1.0), random.Random(seed))
    results = [re.fullmatch(r"(-?\d+)([-+*])(\d+)=(-?\d+)", step) for step in worked.steps]
    state = story.first
    for found, step in zip(results, story.steps, strict=True):
        assert found is not None
        before, operator, operand, after = found.groups()
        assert (int(before), operator, int(operand)) == (state, step.operator, step.operand)
        assert abs(int(after) - step.of(state)) <= 3
        state = int(after)
    assert worked.answer == str(state)


def test_the_task_is_for_a_model_that_reads() -> None:
    assert WORD_PROBLEMS.words is None
