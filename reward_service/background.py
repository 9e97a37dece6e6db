"""Run background tasks: a task survives expected errors, and any other error ends the process visibly."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

from reward_service.errors import StoreUnavailableError, TaskFailedError

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
SAID_EVERY_S = 10.0


class Background:
    """The background tasks of one process.

    A task that raises fails them all: the failure is logged with its traceback, `on_failure` is told, and `beside`
    raises TaskFailedError. No task ends without a word.
    """

    def __init__(self, on_failure: Callable[[TaskFailedError], None] | None = None) -> None:
        """Starts nothing yet. `on_failure` is for a process whose main work is not `beside`; told once."""
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed = asyncio.Event()
        self.failure: TaskFailedError | None = None

    async def __aenter__(self) -> Self:
        """Nothing to do: tasks start when they are asked for."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancels the tasks that are left and waits for their ends."""
        await self.close()

    def start(self, name: str, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start a task that ends by itself. Cancelling it is no failure."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(
        self,
        name: str,
        work: Callable[[], Awaitable[None]],
        *,
        every_s: float,
        expected: type[Exception] | tuple[type[Exception], ...] = StoreUnavailableError,
    ) -> asyncio.Task[None]:
        """Repeat work for ever, with `every_s` seconds between two turns; longer after errors that are expected."""
        return self.start(name, self._repeated(name, work, every_s, expected))

    async def beside(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do the main work of the process while the tasks run.

        Raises:
            TaskFailedError: a task has failed; the work was cancelled.
        """
        main = asyncio.ensure_future(work)
        failed = asyncio.ensure_future(self._failed.wait())
        try:
            await asyncio.wait((main, failed), return_when=asyncio.FIRST_COMPLETED)
            if self.failure is not None:
                raise self.failure
            return await main
        finally:
            main.cancel()
            failed.cancel()
            await asyncio.gather(main, failed, return_exceptions=True)

    async def close(self) -> None:
        """Cancel the tasks that are left and wait for their ends."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeated(
        self,
        name: str,
        work: Callable[[], Awaitable[None]],
        every_s: float,
        expected: type[Exception] | tuple[type[Exception], ...],
    ) -> None:
        loop = asyncio.get_running_loop()
        pause_s, said_at_s = FIRST_PAUSE_S, -SAID_EVERY_S
        while True:
            try:
                await work()
            except expected as error:
                if loop.time() - said_at_s >= SAID_EVERY_S:
                    said_at_s = loop.time()
                    log.warning("a background task is hindered and goes on", task=name, error=str(error))
                await asyncio.sleep(max(every_s, pause_s))
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                pause_s = FIRST_PAUSE_S
                await asyncio.sleep(every_s)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None or self.failure is not None:
            return
        self.failure = TaskFailedError(f"the background task {task.get_name()!r} failed: {error!r}")
        self.failure.__cause__ = error
        log.critical("a background task failed; the process ends", task=task.get_name(), exc_info=error)
        self._failed.set()
        if self._on_failure is not None:
            self._on_failure(self.failure)
