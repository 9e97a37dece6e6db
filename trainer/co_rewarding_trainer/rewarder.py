"""What the trainer needs of the reward service."""

from collections.abc import Sequence
from typing import Protocol

from co_rewarding_client import Rewards, Rollout


class Rewarder(Protocol):
    """Rewards for whole groups of one step; `co_rewarding_client.RewardClient` is one."""

    def rewards(self, rollouts: Sequence[Rollout], *, step: int | None = None) -> Rewards:
        """Rewards in the order of the rollouts, None where the service abstained."""
        ...
