"""Many generations at once, or one swap of weights: never both."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from reward_service.generation.generator import GeneratorUnavailableError

_HALF_SWAPPED_RETRY_S = 5.0


class Gate:
    """A swap waits for the generations under way and holds back those that come meanwhile. For one event loop."""

    def __init__(self, name: str) -> None:
        """Open, with whole weights behind it. `name` is the model's, for messages."""
        self._name = name
        self._under_way: set[asyncio.Task[object]] = set()
        self._whole = True
        self._closed = False
        self._open = asyncio.Event()
        self._open.set()
        self._drained = asyncio.Event()
        self._drained.set()
        self._swaps = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def generation(self) -> AsyncIterator[None]:
        """While the context lasts, no weights are swapped.

        Raises:
            GeneratorUnavailableError: the last swap failed half-way, or the gate is or was closed meanwhile.
        """
        while not self._open.is_set():  # another swap may begin before this task is woken
            await self._open.wait()
        self._check_closed()
        if not self._whole:
            raise GeneratorUnavailableError(
                f"the last swap of {self._name}'s weights failed half-way: nothing is answered until a load succeeds",
                _HALF_SWAPPED_RETRY_S,
            )
        task = asyncio.current_task()
        assert task is not None, "a gate is passed in a task"
        cancelled_before = task.cancelling()
        self._under_way.add(task)
        self._drained.clear()
        try:
            yield
        except asyncio.CancelledError:
            if self._closed and task.uncancel() <= cancelled_before:  # by `close`, and by nobody else
                self._check_closed()
            raise
        finally:
            self._under_way.discard(task)
            if not self._under_way:
                self._drained.set()

    @contextlib.asynccontextmanager
    async def swap(self, *, mends: bool = False) -> AsyncIterator[None]:
        """While the context lasts, nothing is generated. Leaving it by an error leaves weights that are not whole.

        `mends` is for giving a model back the weights that it lost: afterwards they count as they did before.

        Raises:
            GeneratorUnavailableError: the gate is closed.
        """
        async with self._swaps:
            self._open.clear()
            try:
                await self._drained.wait()
                self._check_closed()
                before = self._whole
                self._whole = before and mends
                yield
                self._whole = before or not mends
            finally:
                self._open.set()

    async def close(self) -> None:
        """Ends the generations under way, waits for a swap to end, and lets nothing through any more."""
        self._closed = True
        for task in self._under_way:
            task.cancel()
        await self._drained.wait()
        async with self._swaps:
            pass

    def _check_closed(self) -> None:
        if self._closed:
            raise GeneratorUnavailableError(f"{self._name} was closed")
