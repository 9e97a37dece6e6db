"""Reward rollouts by plain counting: what each adapter's rewards are compared with."""

from collections import Counter
from collections.abc import Sequence

from co_rewarding_schema.vocabulary import View

from co_rewarding_client.testing.sampling import Sampled

Key = tuple[str, str, int]


def key(rollout: Sampled) -> Key:
    """Return what names a rollout within its step."""
    return rollout.question_id, rollout.view, rollout.index


def cross_view_rewards(rollouts: Sequence[Sampled]) -> dict[Key, float | None]:
    """Return the rewards of co-rewarding-i: each view is labelled by the votes of the other (arXiv 2508.00410, eq. 7).

    Among answers with as many votes the one whose first rollout has the lowest index is elected. None where the other
    view has no answer: the group is left out.
    """
    answers: dict[tuple[str, str], list[str]] = {}
    for rollout in sorted(rollouts, key=key):
        if rollout.answer is not None:
            answers.setdefault((rollout.question_id, rollout.view), []).append(rollout.answer)
    rewards: dict[Key, float | None] = {}
    for rollout in rollouts:
        other = View.PARAPHRASE if rollout.view == View.ORIGINAL else View.ORIGINAL
        label = _elected(answers.get((rollout.question_id, other), []))
        rewards[key(rollout)] = None if label is None else float(rollout.answer == label)
    return rewards


def evaluation_rewards(rollouts: Sequence[Sampled]) -> dict[Key, float | None]:
    """Return the rewards of an evaluation: by the ground truth that a rollout carries, else by its own view's vote."""
    answers: dict[tuple[str, str], list[str]] = {}
    for rollout in sorted(rollouts, key=key):
        if rollout.answer is not None:
            answers.setdefault((rollout.question_id, rollout.view), []).append(rollout.answer)
    rewards: dict[Key, float | None] = {}
    for rollout in rollouts:
        label = rollout.ground_truth or _elected(answers.get((rollout.question_id, rollout.view), []))
        rewards[key(rollout)] = None if label is None else float(rollout.answer == label)
    return rewards


def _elected(answers: Sequence[str]) -> str | None:
    votes = Counter(answers)
    return max(answers, key=lambda answer: (votes[answer], -answers.index(answer))) if answers else None
