"""Work on the items of a lease queue: take, renew, and keep the result; give back what is unfinished."""

import asyncio
import contextlib
import signal
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import structlog

from reward_service.background import Background
from reward_service.errors import StoreUnavailableError
from reward_service.processes import keep_what_was_made, say_ready
from reward_service.store.leases import LeaseQueue, Taken

log = structlog.get_logger(__name__)

Claim = TypeVar("Claim")
ClaimOfItem = TypeVar("ClaimOfItem", covariant=True)
Result = TypeVar("Result")


class Leased(Protocol[ClaimOfItem]):
    """An item that was taken."""

    @property
    def claim(self) -> ClaimOfItem:
        """What it is known by."""
        ...


Item = TypeVar("Item", bound=Leased[Any])


@dataclass(frozen=True, slots=True)
class LeasePace:
    """How a worker divides its time, in seconds.

    Attributes:
        beat_s: how often it looks for work when it has none, and tries again to keep what Redis did not take.
        renew_s: how often it says that it is still at work on what it has; a fraction of its lease.
    """

    beat_s: float = 0.05
    renew_s: float = 2.0


class LeaseWorker(ABC, Generic[Claim, Item, Result]):
    """Works at as many items at once as it has room for, until told to stop.

    A subclass says what it takes (`_serve`), what it does where an item cannot be made (`_failed`), and what a renewal
    and its end are (`_renew`, `_leave`).
    """

    def __init__(self, name: str, queue: LeaseQueue[Claim, Result], pace: LeasePace) -> None:
        """`name` is what its items are called in the log."""
        self._name = name
        self._leases = queue
        self._beat_s, self._renew_s = pace.beat_s, pace.renew_s
        self._stopping = asyncio.Event()
        self._in_hand: dict[Claim, asyncio.Task[None]] = {}
        # What is in hand is known only between takes: a renewal meanwhile would not name what has just been taken.
        self._knowing = asyncio.Lock()
        self._background = Background()

    def stop(self) -> None:
        """Take no more; finish what is in hand, and end."""
        self._stopping.set()

    async def serve(self, finish_within_s: float) -> None:
        """Run as the work of a process: ready from now on, until a signal stops the worker.

        Raises:
            TaskFailedError: as `run`.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        keep_what_was_made()
        say_ready()
        await self.run(finish_within_s)

    async def run(self, finish_within_s: float = 30.0) -> None:
        """Works until stopped; a Redis or a model that is away is waited for.

        Raises:
            TaskFailedError: a background task has failed. What is in hand is left to others.
        """
        async with self._background as background:
            background.keep("renew", self._renew_in_hand, every_s=self._renew_s)
            await background.beside(self._work(finish_within_s))

    @property
    @abstractmethod
    def _room(self) -> int:
        """How many items more it would take now."""

    @abstractmethod
    async def _serve(self) -> bool:
        """Takes what there is to take for `_room`, with `_take`; whether there was anything to do."""

    @abstractmethod
    async def _failed(self, item: Item, error: Exception) -> Result | None:
        """What is kept of an item that could not be made; None if it is given back, to be made again."""

    @abstractmethod
    async def _renew(self, claims: Collection[Claim]) -> Collection[Claim]:
        """Says that it is at work on these; those that it need not finish."""

    async def _leave(self, claims: Collection[Claim]) -> None:
        """It stops, with these in hand."""
        await self._leases.leave(claims)

    async def _take(self, take: Callable[[], Awaitable[Taken[Item]]], make: Callable[[Item], Awaitable[Result]]) -> int:
        """Begins to make what it takes; how many items these are."""
        async with self._knowing:
            taken = await take()
            for item in taken.items:
                task = self._background.start(self._name, self._finish_one(item, make))
                self._in_hand[item.claim] = task
                task.add_done_callback(partial(self._done, item.claim))
        if taken.left:
            log.info("took over what others had left", what=self._name, count=taken.left)
        return len(taken.items)

    async def _finish_one(self, item: Item, make: Callable[[Item], Awaitable[Result]]) -> None:
        """The boundary of an item: one that cannot be made costs no other anything."""
        try:
            result = await make(item)
        except Exception as error:
            result = await self._failed(item, error)
        if result is None:
            with contextlib.suppress(StoreUnavailableError):  # it is not in hand any more, and its lease ends
                await self._leases.give_back([item.claim])
        else:
            await self._keep(item.claim, result)

    async def _keep(self, claim: Claim, result: Result) -> None:
        """What was paid for is kept, however long Redis is away."""
        while True:
            try:
                await self._leases.keep(claim, result)
            except StoreUnavailableError:
                await asyncio.sleep(self._beat_s)
            else:
                return

    def _done(self, claim: Claim, task: asyncio.Task[None]) -> None:
        if self._in_hand.get(claim) is task:  # what was given back may be in hand again already
            del self._in_hand[claim]

    async def _work(self, finish_within_s: float) -> None:
        while not self._stopping.is_set():
            try:
                busy = await self._one_done() if self._room <= 0 else await self._serve()
            except StoreUnavailableError as error:
                log.warning("Redis is away; waiting for it", error=str(error))
                busy = False
            if not busy:
                await self._idle(self._beat_s)
        await self._finish(finish_within_s)

    async def _one_done(self) -> bool:
        """Waits for room, but no longer than a beat: it may be told to stop."""
        await asyncio.wait(self._in_hand.values(), timeout=self._beat_s, return_when=asyncio.FIRST_COMPLETED)
        return True

    async def _renew_in_hand(self) -> None:
        async with self._knowing:
            for claim in await self._renew(list(self._in_hand)):
                task = self._in_hand.get(claim)
                if task is not None and not task.cancelling():
                    task.cancel()

    async def _finish(self, within_s: float) -> None:
        if self._in_hand:
            await asyncio.wait(self._in_hand.values(), timeout=within_s)
        left = dict(self._in_hand)
        for task in left.values():
            task.cancel()
        await asyncio.gather(*left.values(), return_exceptions=True)
        with contextlib.suppress(StoreUnavailableError):
            await self._leave(left)

    async def _idle(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
