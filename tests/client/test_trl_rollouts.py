"""Rollouts of what TRL hands to a reward function."""

from co_rewarding_client.trl_rollouts import Part


def test_a_blank_ground_truth_is_none() -> None:
    """Ranks that share a group of an evaluation must know that the group votes."""
    part = Part(
        completions=["a", "b", "c", "d"],
        texts=None,
        columns={"truth": ["4", "", " \n", None]},
        ground_truth="truth",
        first=0,
        group_size=2,
    )
    assert list(part.truths) == ["4", None, None, None]
