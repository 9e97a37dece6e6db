"""Know the service and the steps of one training by the Tinker cookbook."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.methods import method_named

from co_rewarding_client import training
from co_rewarding_client.errors import invalid
from co_rewarding_client.model import Rewards, RunSettings

METRICS = ("vote_share_mean", "label_coverage", "label_accuracy")


class Where(TypedDict, total=False):
    """The arguments of `training.Endpoint`."""

    url: str
    api_key: str | None
    run: str
    timeout_s: float
    patience_s: float


class Service:
    """The reward service as the data sets of one training know it."""

    def __init__(self, *, clock: Callable[[], float] = time.time, **where: Unpack[Where]) -> None:
        endpoint = training.Endpoint(**where)
        self.run = endpoint.run
        self.clients = training.ClientOfLoop(endpoint)
        self.attempt = int(clock())  # a training that is resumed has a higher one
        self.next_step = 0

    async def begin(self, settings: RunSettings) -> None:
        """Make the run.

        Raises:
            InvalidRequest: the method needs a teacher.
            CoRewardingError: the service refuses or is away.
        """
        if method_named(settings.method).needs_teacher:
            raise invalid(
                f"{settings.method} needs a teacher, which follows weights that the trainer publishes, and Tinker "
                "keeps the weights on its side: use co-rewarding-i"
            )
        await self.clients.get().put_run(self.run, settings)


@dataclass
class Batch:
    """What came of the groups of one step, as far as they are rewarded in this process."""

    step: int
    groups: int
    settled: int = 0
    rewarded: int = 0
    abstained: Counter[str] = field(default_factory=Counter[str])
    error: CoRewardingError | None = None

    def note(self, rewards: Rewards, run: str) -> None:
        """Count a group.

        Raises:
            AllAbstainedError: it is the last, and no group of the step was rewarded.
        """
        self.settled += 1
        self.rewarded += sum(reward is not None for reward in rewards.rewards)
        self.abstained.update(reason for reason in rewards.abstentions if reason is not None)
        if self.settled == self.groups and not self.rewarded:
            raise training.AllAbstainedError(run, self.step, self.abstained)


def told(rewards: Rewards) -> list[tuple[float, dict[str, Any]]]:
    """Return what the cookbook takes: a number and metrics for each rollout.

    Of a group that abstains each number is 0, so none has an advantage; the metrics count it and leave these out.
    """
    measured = {name: rewards.metrics.get(name) for name in METRICS}
    of_all: dict[str, Any] = {f"co_rewarding/{name}": value for name, value in measured.items() if value is not None}
    return [
        (
            reward or 0.0,
            of_all
            | {"co_rewarding/abstained": float(reward is None)}
            | ({} if reward is None else {"co_rewarding/reward": reward}),
        )
        for reward in rewards.rewards
    ]
