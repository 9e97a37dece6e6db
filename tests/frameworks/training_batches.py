"""Read the batches of a training as its program told them, and reward them anew by plain counting."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from co_rewarding_client.testing.reference import cross_view_rewards, evaluation_rewards, key
from co_rewarding_client.testing.sampling import Sampled

Line = dict[str, Any]
Told = dict[str, list[Line]]


def told(lines: Sequence[Line]) -> Told:
    found: Told = {}
    for line in lines:
        found.setdefault(line["scenario"], []).append(line)
    return found


def batches(lines: Sequence[Line], learning: bool = True) -> list[list[Line]]:
    """The calls of the ranks that hold one batch, in the order of the ranks."""
    ranks = sorted({line["rank"] for line in lines})
    calls = [
        [line for line in lines if line["rank"] == rank and line["what"] == "call" and line["learning"] is learning]
        for rank in ranks
    ]
    assert len({len(each) for each in calls}) == 1
    return [list(batch) for batch in zip(*calls, strict=True)]


def sampled(batch: Sequence[Line], group_size: int) -> list[tuple[Sampled, float | None]]:
    """The rollouts of a batch with their rewards; the groups stand one after another in it."""
    rows = [
        (question_id, view, response, truth, reward)
        for call in batch
        for question_id, view, response, truth, reward in zip(
            call["question_ids"],
            call["views"] or ["original"] * len(call["rewards"]),
            call["responses"],
            call["truths"] or [None] * len(call["rewards"]),
            call["rewards"],
            strict=True,
        )
    ]
    assert len(rows) % group_size == 0
    for first in range(0, len(rows), group_size):
        assert len({row[:2] for row in rows[first : first + group_size]}) == 1, "a group is torn"
    return [
        (
            Sampled(
                question_id=question_id,
                view=view,
                index=place % group_size,
                prompt="",
                response=response,
                answer=(re.findall(r"\\boxed\{(\d)\}", response) or [None])[-1],
                ground_truth=truth,
            ),
            reward,
        )
        for place, (question_id, view, response, truth, reward) in enumerate(rows)
    ]


def quorum(rollouts: Sequence[Sampled], rollout: Sampled) -> int:
    """The votes of the label that the other view elects."""
    cast = [each.answer for each in rollouts if each.question_id == rollout.question_id and each.view != rollout.view]
    return max(Counter(answer for answer in cast if answer is not None).values(), default=0)


def assert_counted(lines: Sequence[Line], group_size: int = 4, min_votes: int = 1) -> list[list[float | None]]:
    """Each batch is rewarded as plain counting rewards it."""
    assert not [line for line in lines if line["what"] == "error"], lines[-2]
    found: list[list[float | None]] = []
    for batch in batches(lines):
        rewarded = sampled(batch, group_size)
        rollouts = [rollout for rollout, _ in rewarded]
        counted = cross_view_rewards(rollouts)
        expected = [counted[key(each)] if quorum(rollouts, each) >= min_votes else None for each in rollouts]
        found.append([reward for _, reward in rewarded])
        assert found[-1] == expected
    assert {0.0, 1.0} <= {reward for batch in found for reward in batch}
    return found


def assert_evaluated(lines: Sequence[Line], truths: bool) -> None:
    """Each batch of the evaluations is rewarded by its ground truths, or each group by its own vote."""
    found: set[float | None] = set()
    for batch in batches(lines, learning=False):
        assert all((call["truths"] is not None and None not in call["truths"]) is truths for call in batch)
        rewarded = [
            (replace(rollout, question_id=f"{place // 2}"), reward)
            for place, (rollout, reward) in enumerate(sampled(batch, 2))
        ]
        expected = evaluation_rewards([rollout for rollout, _ in rewarded])
        assert [reward for _, reward in rewarded] == [expected[key(rollout)] for rollout, _ in rewarded]
        found |= {reward for _, reward in rewarded}
    assert {0.0, 1.0} <= found


def error(lines: Sequence[Line]) -> str:
    """The one error that ended the training, the same on each rank."""
    (found,) = {f"{line['kind']}: {line['text']}" for line in lines if line["what"] == "error"}
    return found
