"""Send together what a trainer asks for one rollout at a time: a call for each would take most of a step's time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from co_rewarding_client.client import AsyncRewardClient
from co_rewarding_client.model import Label, Rollout

WINDOW_S = 0.005
MOST = 256


@dataclass(frozen=True, slots=True)
class Rewarded:
    """What became of a rollout: its reward, or why it abstained; and the label of its view, if one was elected."""

    reward: float | None
    abstention: str | None
    label: Label | None


@dataclass(frozen=True, slots=True)
class _Name:
    """What the rollouts of a part share; some frameworks make an event loop for each call."""

    loop: asyncio.AbstractEventLoop
    step: int | None
    evaluate: bool


_Part = dict[Rollout, list[asyncio.Future[Rewarded]]]
"""Rollouts that will be sent together, each with those that wait for it; a copy is sent once."""


class GatheredRewards:
    """Gathers the rollouts that are asked for within `window_s`, at most 256, and asks for them as one part of a step.

    All of a part are answered when the last of its cohorts is settled. That is right where a trainer asks for all
    rollouts of a step at once; one that asks for a few at a time, and waits, would wait for itself.
    """

    def __init__(self, client: Callable[[], AsyncRewardClient], *, window_s: float = WINDOW_S) -> None:
        """Take what returns the client of the running event loop."""
        self._client = client
        self._window_s = window_s
        self._parts: dict[_Name, _Part] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def reward(self, rollout: Rollout, *, step: int | None = None, evaluate: bool = False) -> Rewarded:
        """Return the reward of a rollout, when it is settled.

        Raises:
            CoRewardingError: as for `rewards`, on each rollout of the part.
        """
        loop = asyncio.get_running_loop()
        name = _Name(loop, step, evaluate)
        part = self._parts.get(name)
        if part is None:
            for gone in [each for each in list(self._parts) if each.loop.is_closed()]:
                self._parts.pop(gone, None)
            part = self._parts[name] = {}
            loop.call_later(self._window_s, self._begin, name, part)
        future: asyncio.Future[Rewarded] = loop.create_future()
        part.setdefault(rollout, []).append(future)
        if len(part) >= MOST:
            self._begin(name, part)
        return await future

    def _begin(self, name: _Name, part: _Part) -> None:
        if self._parts.get(name) is part:
            del self._parts[name]
            call = name.loop.create_task(self._ask(name, part))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _ask(self, name: _Name, part: _Part) -> None:
        rollouts = list(part)
        try:
            found = await self._client().rewards(rollouts, step=name.step, complete=False, evaluate=name.evaluate)
        except BaseException as error:
            for future in (each for futures in part.values() for each in futures):
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        labels = {(label.question_id, label.view): label for label in found.labels}
        results = zip(part.values(), rollouts, found.rewards, found.abstentions, strict=True)
        for futures, rollout, reward, abstention in results:
            for future in futures:
                if not future.done():
                    label = labels.get((rollout.question_id or "", rollout.view))
                    future.set_result(Rewarded(reward, abstention, label))
