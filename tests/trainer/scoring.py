"""Rewarders without a service, at the trainer's own Protocol."""

import re
from collections.abc import Sequence

from co_rewarding_client import Rewards, Rollout


class GroundTruthRewarder:
    """Rewards what agrees with the truth that was sent along, and keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[list[Rollout]] = []

    def rewards(self, rollouts: Sequence[Rollout], *, step: int | None = None) -> Rewards:
        self.sent.append(list(rollouts))
        answers = tuple(boxed[-1] if (boxed := re.findall(r"boxed\{(\d)\}", r.response)) else None for r in rollouts)
        rewards = tuple(float(a == r.ground_truth) for a, r in zip(answers, rollouts, strict=True))
        return given(rewards, step, answers)


class AbstainingRewarder:
    """Has no label for anything."""

    def rewards(self, rollouts: Sequence[Rollout], *, step: int | None = None) -> Rewards:
        return given((None,) * len(rollouts), step, (None,) * len(rollouts))


def given(rewards: tuple[float | None, ...], step: int | None, answers: tuple[str | None, ...]) -> Rewards:
    known = [reward for reward in rewards if reward is not None]
    mean = sum(known) / len(known) if known else None
    abstentions = tuple("no-label" if reward is None else None for reward in rewards)
    metrics = {"reward_mean": mean, "vote_share_mean": 1.0, "label_accuracy": 1.0}
    return Rewards(
        run="test",
        step=step,
        method="ground-truth",
        rewards=rewards,
        abstentions=abstentions,
        answers=answers,
        labels=(),
        metrics=metrics,
    )
