"""Rewarders without a service, at the trainer's own Protocol."""

import re
from collections.abc import Sequence

from co_rewarding_client import Label, Rewards, Rollout
from msgspec.structs import replace


class GroundTruthRewarder:
    """Rewards what agrees with the truth that was sent along, and keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[list[Rollout]] = []

    def rewards(self, rollouts: Sequence[Rollout], *, step: int | None = None) -> Rewards:
        self.sent.append(list(rollouts))
        answers = tuple(boxed[-1] if (boxed := re.findall(r"boxed\{(\d)\}", r.response)) else None for r in rollouts)
        rewards = tuple(float(a == r.ground_truth) for a, r in zip(answers, rollouts, strict=True))
        return given(rewards, step, answers)


class LabellingRewarder:
    """Labels each view as the solved problems say: all right in even steps, those of originals alone in odd ones."""

    def __init__(self) -> None:
        self.sent: list[list[Rollout]] = []

    def rewards(self, rollouts: Sequence[Rollout], *, step: int | None = None) -> Rewards:
        self.sent.append(list(rollouts))
        views = {(each.question_id or "", each.view) for each in rollouts}
        labels = [
            Label(
                question_id=question_id, view=view, votes=1, of=1, voter="policy", voted_on=(view,), cohort="c",
                answer=solved(question_id) if view == "original" or step == 0 else "none",
            )
            for question_id, view in views
        ]  # fmt: skip
        return replace(given((0.0,) * len(rollouts), step, (None,) * len(rollouts)), labels=labels)


def solved(key: str) -> str:
    """The last digit of a chain that is worked from left to right."""
    first, *steps = re.findall(r"[-+*]?\d", key)
    state = int(first)
    for operator, digit in steps:
        state = {"+": state + int(digit), "-": state - int(digit), "*": state * int(digit)}[operator] % 10
    return str(state)


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
