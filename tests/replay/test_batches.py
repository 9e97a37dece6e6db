"""Whole questions in bounded batches, whatever the order of the file."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.tools.replay.batches import MAX_BATCH_CHARS, Census, batches, numbered, take_census
from reward_service.tools.replay.errors import RolloutFileError
from reward_service.tools.replay.rollout_files import FileRollout
from tests.support.rollout_files import place


def rollout(row: int, question: str = "q", **more) -> FileRollout:
    return FileRollout(row=row, question_id=question, response=f"r{row}", **more)


files = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from([None, 1, 2]), st.sampled_from(["original", "paraphrase"])),
    max_size=40,
).map(lambda rows: [rollout(n, q, step=step, view=view) for n, (q, step, view) in enumerate(rows, start=1)])


@given(files, st.integers(1, 12))
def test_every_rollout_is_in_one_batch_and_every_question_in_one(file, most):
    made = list(batches(file, take_census(file), most, place))

    sent = [rollout for batch in made for rollout in batch.rollouts_B]
    assert sorted(rollout.row for rollout in sent) == [rollout.row for rollout in file]
    homes = Counter(key for batch in made for key in {(batch.step, r.question_id) for r in batch.rollouts_B})
    assert set(homes.values()) <= {1}
    for batch in made:
        assert {rollout.step for rollout in batch.rollouts_B} == {batch.step}
        assert len(batch.rollouts_B) <= most or len({r.question_id for r in batch.rollouts_B}) == 1


@given(files)
def test_rollouts_of_a_group_are_numbered_in_the_order_of_the_file(file):
    for batch in batches(file, take_census(file), 1000, place):
        for group in {(r.question_id, r.view) for r in batch.rollouts_B}:
            members = [r for r in batch.rollouts_B if (r.question_id, r.view) == group]
            assert [r.rollout for r in members] == list(range(len(members)))
            assert [r.row for r in members] == sorted(r.row for r in members)


def test_memory_holds_a_question_only_until_it_is_whole():
    taken: list[int] = []

    def reading():
        for row in range(1, 101):
            taken.append(row)
            yield rollout(row, f"q{(row - 1) // 4}")

    census = take_census(reading())
    taken.clear()
    first = next(batches(reading(), census, 8, place))

    assert len(first.rollouts_B) == 8
    assert len(taken) <= 12


def test_long_texts_make_small_batches():
    file = [replace(rollout(n, f"q{n}"), response="x" * (MAX_BATCH_CHARS // 3)) for n in range(7)]

    assert [len(batch.rollouts_B) for batch in batches(file, take_census(file), 1000, place)] == [3, 3, 1]


def test_a_file_that_shrank_since_it_was_counted_is_sent_all_the_same():
    census = Census({(None, "q"): 5}, 5)

    (batch,) = batches([rollout(1), rollout(2)], census, 10, place)

    assert len(batch.rollouts_B) == 2


def test_given_indices_stay_and_the_others_fill_the_gaps():
    views = {"view": "paraphrase"}
    made = numbered([rollout(1), rollout(2, rollout=0), rollout(3), rollout(4, rollout=2), rollout(5, **views)], place)

    assert [r.rollout for r in made] == [1, 0, 3, 2, 0]


def test_a_ground_truth_is_that_of_the_whole_question():
    made = numbered([rollout(1), rollout(2, ground_truth="4", view="paraphrase"), rollout(3, ground_truth="5")], place)

    assert [r.ground_truth for r in made] == ["4", "4", "5"]


@pytest.mark.parametrize("row", [1, 9])
def test_two_rollouts_of_one_index_are_told_with_their_places(row):
    with pytest.raises(RolloutFileError, match=r"file:\d: rollout 3 of 'q' \(original\) is there already, at file:1"):
        numbered([rollout(1, rollout=3), rollout(row, rollout=3)], place)
