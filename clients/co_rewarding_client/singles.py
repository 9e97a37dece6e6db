"""Reward rollouts that a framework hands over one at a time, each with the row of its data set."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from co_rewarding_schema.vocabulary import View

from co_rewarding_client.errors import invalid
from co_rewarding_client.gathering import GatheredRewards
from co_rewarding_client.model import Rollout
from co_rewarding_client.training import AllAbstainedError, ClientOfLoop, Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """The reward of one rollout, None where its group abstained, which `abstention` explains."""

    reward: float | None
    abstention: str | None


class Singles:
    """Rewards of one run's rollouts, one by one; each waits until the cohort of its rollout is settled.

    The rollouts of a cohort must therefore be under way at the same time: two groups for the methods that need both
    views of a question. `attempt` is higher in a resumed training. So many rollouts as `most_abstained` may abstain one
    after another; a framework that sees one rollout at a time would otherwise train on with loss 0.
    """

    def __init__(self, endpoint: Endpoint, *, attempt: int = 0, most_abstained: int = 1024) -> None:
        self._run = endpoint.run
        self._clients = ClientOfLoop(endpoint)
        self._attempt = attempt
        self._most_abstained = most_abstained
        self._abstained: Counter[str] = Counter()
        self._groups: dict[tuple[object, ...], GatheredRewards] = {}

    async def reward(
        self,
        row: Mapping[str, Any],
        response: str,
        *,
        rollout: int | None = None,
        key: str | None = None,
        evaluate: bool = False,
    ) -> Single:
        """Return the reward of a response to the question and view of `row`.

        The rollout is known by its index in its group; without one, by `key`, which is the same when the rollout is
        handed over again.

        Raises:
            InvalidRequest: the row does not say which question, view, or occasion it is.
            AllAbstainedError: too many rollouts abstained one after another.
        """
        sent, step = rollout_of(row, response, rollout, self._attempt), _step(row, evaluate)
        if rollout is None:
            single = await self._alone(sent, step, key, evaluate)
        else:
            single = await self._in_group(sent, step, evaluate)
        if not evaluate:
            self._count(single.abstention, step)
        return single

    async def _alone(self, rollout: Rollout, step: int | None, key: str | None, evaluate: bool) -> Single:
        rewards = await self._clients.get().rewards(
            [rollout], step=step, complete=False, evaluate=evaluate, idempotency_key=key
        )
        return Single(reward=rewards.rewards[0], abstention=rewards.abstentions[0])

    async def _in_group(self, rollout: Rollout, step: int | None, evaluate: bool) -> Single:
        """Ask for the rollouts of a group together where they come together: they are settled at one moment.

        What is settled at different moments is asked for apart: a trainer with few calls in flight would otherwise wait
        for itself.
        """
        name = (rollout.question_id, rollout.view, step, evaluate)
        group = self._groups.setdefault(name, GatheredRewards(self._clients.get))
        try:
            rewarded = await group.reward(rollout, step=step, evaluate=evaluate)
        finally:
            self._groups.pop(name, None)
        return Single(reward=rewarded.reward, abstention=rewarded.abstention)

    async def close(self) -> None:
        """Close the connections of the running loop."""
        await self._clients.get().close()

    def _count(self, abstention: str | None, step: int | None) -> None:
        if abstention is None:
            self._abstained.clear()
            return
        self._abstained[abstention] += 1
        if self._abstained.total() >= self._most_abstained:
            raise AllAbstainedError(self._run, step, self._abstained)


def rollout_of(row: Mapping[str, Any], response: str, index: int | None, attempt: int = 0) -> Rollout:
    """Return the rollout that is a response to the question and view of a row.

    Raises:
        InvalidRequest: the row does not name them.
    """
    missing = [name for name in ("question_id", "view") if row.get(name) is None]
    if missing:
        raise invalid(f"a row has no {' and no '.join(missing)}; make the rows by co_rewarding_client.training.paired")
    return Rollout(
        question_id=str(row["question_id"]),
        view=View(row["view"]),
        rollout=index,
        attempt=attempt,
        prompt=row.get("prompt") or None,
        response=response,
        ground_truth=row.get("ground_truth"),
    )


def occasion_of(row: Mapping[str, Any]) -> int | None:
    """Return on which occasion a question is asked: in which training step or, if a row does not say, which epoch."""
    return row["step"] if row.get("step") is not None else row.get("epoch")


def _step(row: Mapping[str, Any], evaluate: bool) -> int | None:
    step = occasion_of(row)
    if step is None and not evaluate:
        raise invalid(
            f"the row of {row['question_id']!r} has neither step nor epoch, so its second epoch would get the labels "
            "of the first; number the epochs, as co_rewarding_client.training.paired does"
        )
    return step
