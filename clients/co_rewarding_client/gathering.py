"""Send together what a trainer asks for one rollout at a time: a call for each would take most of a step's time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from co_rewarding_client.client import AsyncRewardClient
from co_rewarding_client.model import Label, Rollout

WINDOW_S = 0.005
MOST = 256

Entry = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Rewarded:
    """What became of a rollout: its reward, or why it abstained; and the label of its view, if one was elected."""

    reward: float | None
    abstention: str | None
    label: Label | None


@dataclass(slots=True)
class _Part:
    """Rollouts that will be sent together, each with those that wait for it; a copy is sent once."""

    rollouts: dict[Entry, Rollout] = field(default_factory=dict[Entry, Rollout])
    waiting: dict[Entry, list[asyncio.Future[Rewarded]]] = field(
        default_factory=dict[Entry, list[asyncio.Future[Rewarded]]]
    )


class GatheredRewards:
    """Gathers the rollouts that are asked for within `window_s`, at most 256, and asks for them as one part of a step.

    All of a part are answered when the last of its cohorts is settled. That is right where a trainer asks for all
    rollouts of a step at once; one that asks for a few at a time, and waits, would wait for itself.
    """

    def __init__(self, client: Callable[[], AsyncRewardClient], *, window_s: float = WINDOW_S) -> None:
        """Take what returns the client of the running event loop."""
        self._client = client
        self._window_s = window_s
        self._parts: dict[tuple[int | None, bool], _Part] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def reward(self, rollout: Rollout, *, step: int | None = None, evaluate: bool = False) -> Rewarded:
        """Return the reward of a rollout, when it is settled.

        Raises:
            CoRewardingError: as for `rewards`, on each rollout of the part.
        """
        loop = asyncio.get_running_loop()
        name = (step, evaluate)
        part = self._parts.get(name)
        if part is None:
            part = self._parts[name] = _Part()
            loop.call_later(self._window_s, self._begin, name, part)
        entry = (rollout.question_id, rollout.prompt, rollout.view, rollout.rollout, rollout.attempt, rollout.response)
        part.rollouts[entry] = rollout
        future: asyncio.Future[Rewarded] = loop.create_future()
        part.waiting.setdefault(entry, []).append(future)
        if len(part.rollouts) >= MOST:
            self._begin(name, part)
        return await future

    def _begin(self, name: tuple[int | None, bool], part: _Part) -> None:
        if self._parts.get(name) is part:
            del self._parts[name]
            call = asyncio.get_running_loop().create_task(self._ask(name, part))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _ask(self, name: tuple[int | None, bool], part: _Part) -> None:
        step, evaluate = name
        rollouts = list(part.rollouts.values())
        try:
            found = await self._client().rewards(rollouts, step=step, complete=False, evaluate=evaluate)
        except BaseException as error:
            for future in (each for futures in part.waiting.values() for each in futures):
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        labels = {(label.question_id, label.view): label for label in found.labels}
        results = zip(part.waiting.values(), rollouts, found.rewards, found.abstentions, strict=True)
        for futures, rollout, reward, abstention in results:
            for future in futures:
                if not future.done():
                    label = labels.get((rollout.question_id or "", rollout.view))
                    future.set_result(Rewarded(reward, abstention, label))
