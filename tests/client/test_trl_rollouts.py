"""Rollouts of what TRL hands to a reward function."""

from typing import Any

import pytest
from co_rewarding_client import InvalidRequest
from co_rewarding_client.trl_rollouts import Part


def part_of(columns: dict[str, Any], group_size: int) -> Part:
    """Four completions of a first rank."""
    return Part(
        completions=list("abcd"),
        texts=None,
        columns={"question_id": [1, 2, 3, 4]} | columns,
        ground_truth="truth",
        first=0,
        group_size=group_size,
    )


def test_a_blank_ground_truth_is_none() -> None:
    """Ranks that share a group of an evaluation must know that the group votes."""
    part = part_of({"truth": ["4", "", " \n", None]}, 2)
    assert list(part.truths) == ["4", None, None, None]


@pytest.mark.parametrize("is_whole", [True, False])
def test_an_evaluation_by_the_vote_of_one_is_refused(is_whole: bool) -> None:
    compared = part_of({"truth": ["4", "5", "6", 7]}, 1).evaluated(0, 1, is_whole=is_whole)
    assert [rollout.ground_truth for rollout in compared] == ["4", "5", "6", 7]
    assert len(part_of({}, 2).evaluated(0, 1, is_whole=is_whole)) == 4
    for columns in ({}, {"truth": ["4", "5", "6", ""]}):
        with pytest.raises(InvalidRequest, match="num_generations_eval above 1"):
            part_of(columns, 1).evaluated(0, 1, is_whole=is_whole)
