"""Which rows are sampled together, and whether the views of each question meet there."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from co_rewarding_client import InvalidRequest
from co_rewarding_client.pairing import Sampling, check_data, check_flags, check_pairs, numbered
from co_rewarding_client.training import paired


def arguments(**changed: Any) -> Any:
    """Those of a trainer on two processes that samples four prompts together, twice each."""
    plain = {
        "generation_batch_size": 8,
        "num_generations": 2,
        "per_device_train_batch_size": 2,
        "steps_per_generation": 2,
        "num_iterations": 1,
        "gradient_accumulation_steps": 2,
        "shuffle_dataset": False,
        "world_size": 2,
    }
    return SimpleNamespace(**plain | changed)


class Table(list[dict[str, Any]]):
    """A data set as `datasets` has it, for what is looked at."""

    @property
    def column_names(self) -> list[str]:
        return list(self[0])

    def __getitem__(self, name: Any) -> Any:
        return [row[name] for row in self] if isinstance(name, str) else super().__getitem__(name)


def questions(count: int) -> list[dict[str, Any]]:
    return [{"question_id": f"q{at}", "question": "?", "paraphrase": "??"} for at in range(count)]


def rows(*numbers: int) -> list[range]:
    return [range(4 * number, 4 * number + 4) for number in numbers]


@pytest.mark.parametrize(
    ("repeats", "accumulation", "batches"),
    [
        (1, 1, [rows(0), rows(1), rows(2), rows(0)]),
        (2, 1, [rows(0), rows(0), rows(1), rows(1), rows(2), rows(2), rows(0)]),
        (2, 2, [rows(0), rows(1), rows(2), rows(0)]),
        (1, 2, [rows(0, 1), rows(2), rows(0, 1)]),
        (2, 3, [rows(0, 1), rows(1, 2), rows(0, 1)]),
    ],
)
def test_each_step_learns_from_these_batches(repeats: int, accumulation: int, batches: list[list[range]]) -> None:
    sampling = Sampling(rows=14, prompts=4, repeats=repeats, accumulation=accumulation)
    assert [sampling.batches_of(step) for step in range(len(batches))] == batches


def test_the_arguments_of_a_trainer_tell_the_sampling() -> None:
    found = Sampling.of_trainer(arguments(num_iterations=3, gradient_accumulation_steps=5), 12)
    assert found == Sampling(rows=12, prompts=4, repeats=6, accumulation=5)


def test_flags_that_keep_pairs_together_are_taken() -> None:
    check_flags(arguments())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"shuffle_dataset": True}, ("shuffle_dataset=False", "paired(questions, epochs=N)")),
        (
            {"generation_batch_size": 6, "steps_per_generation": 3, "per_device_train_batch_size": 1},
            ("odd number of prompts, 3,", "per_device_train_batch_size=2 in place of 1", "steps_per_generation=6"),
        ),
    ],
)
def test_flags_that_part_pairs_are_refused_with_the_cure(changed: dict[str, Any], words: Sequence[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_flags(arguments(**changed))
    for word in words:
        assert word in str(refused.value)


def test_pairs_side_by_side_are_taken_over_many_epochs() -> None:
    check_data(arguments(), Table(paired(questions(9), epochs=20)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (Table(sorted(paired(questions(4)), key=lambda row: row["view"])), ("in the view 'original' alone",)),
        (Table({**row, "view": "other"} for row in paired(questions(4))), ("the view 'other'", "'paraphrase'")),
        (Table(paired(questions(1), epochs=2)), ("'q0' stands 2 times among rows 0 to 3",)),
        (Table({"prompt": "?", "view": "original"} for _ in range(4)), ("no column question_id", "paired(questions)")),
        (Table({"prompt": "?"} for _ in range(4)), ("no column question_id and no column view",)),
    ],
)
def test_data_in_which_pairs_do_not_meet_are_refused(data: Table, words: Sequence[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_data(arguments(), data)
    for word in words:
        assert word in str(refused.value)


def test_a_question_that_comes_twice_in_a_step_of_two_batches_is_refused() -> None:
    names, views = ["a", "a", "b", "b", "a", "a", "c", "c"], ["original", "paraphrase"] * 4
    check_pairs(Sampling(rows=8, prompts=4), names, views)
    with pytest.raises(InvalidRequest, match="rows 0 to 7"):
        check_pairs(Sampling(rows=8, prompts=4, accumulation=2), names, views)


def test_a_stream_is_not_looked_through() -> None:
    check_data(arguments(), SimpleNamespace(column_names=["prompt"]))
    check_data(arguments(), None)


def test_rollouts_are_numbered_from_where_their_part_begins() -> None:
    assert numbered("aabbbbcc", "12345678", 2, 4) == [2, 3, 0, 1, 2, 3, 0, 1]
    assert numbered("aaaa", "1234", 8, 4) == [0, 1, 2, 3]
    assert numbered("", "", 5, 4) == []


def test_a_copy_has_the_number_of_what_it_copies() -> None:
    assert numbered("aabbab", "123424", 0, 2) == [0, 1, 0, 1, 1, 1]


def test_a_question_that_was_sampled_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="more than 2 rollouts of 'a'"):
        numbered("aaa", "123", 0, 2)
