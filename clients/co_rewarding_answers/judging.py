"""Run the judge beside a program: a thread with an event loop, and the processes that may be killed."""

import asyncio
import threading
import time
import warnings
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeVar

from reward_service.grading.fairness import Allowances
from reward_service.grading.judge import Judge, JudgeError
from reward_service.grading.judge_process import JudgeLimits
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.grading.verdicts import KnownVerdicts

Result = TypeVar("Result")

CLOSING_S = 10.0
_MANY = 1 << 20  # questions wait for a child, not for a turn: the callers are one program


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """What the judge may use.

    Attributes:
        children: processes that compare; 0 leaves undecided what canonical keys leave open.
        cpu_s: CPU time (s) for one comparison; the kernel kills a process that has used it.
        wall_s: time on the clock (s) for one comparison.
        burst_s: CPU time (s) of all comparisons that may be used at once; what comes beyond is undecided.
        per_s: CPU time (s) that comes back with each second.
    """

    children: int = 2
    cpu_s: float = 2.0
    wall_s: float = 20.0
    burst_s: float = 60.0
    per_s: float = 1.0


class JudgeThread:
    """Holds a grader and its judge on an event loop of its own.

    Linux kills the judge's processes with the thread that started them, so that thread must not be a caller's. A
    forked process has a copy of this object and no such thread: `is_alive` is false there.
    """

    def __init__(self, settings: JudgeSettings) -> None:
        """Start the thread, and the processes unless the judge cannot run here."""
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._ends = asyncio.Event()
        ready: Future[SymbolicGrader] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="co-rewarding-judge", daemon=True)
        self._thread.start()
        self.grader = ready.result()

    @property
    def is_alive(self) -> bool:
        """Return whether the thread runs, in this process."""
        return self._thread.is_alive()

    def start(self, work: Coroutine[Any, Any, Result]) -> "Future[Result]":
        """Start work on the thread's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """End the processes and the thread. Work that is under way is cancelled."""
        if self.is_alive:
            self._loop.call_soon_threadsafe(self._ends.set)
            self._thread.join(CLOSING_S)

    def _run(self, ready: "Future[SymbolicGrader]") -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(ready))

    async def _serve(self, ready: "Future[SymbolicGrader]") -> None:
        settings = self._settings
        judge = await _started(settings)
        try:
            ready.set_result(
                SymbolicGrader(
                    judge,
                    KnownVerdicts(None, time.monotonic),
                    allowances=Allowances(time.monotonic, burst_s=settings.burst_s, per_s=settings.per_s),
                    at_once=_MANY,
                )
            )
            await self._ends.wait()
        finally:
            if judge is not None:
                await judge.close()


async def _started(settings: JudgeSettings) -> Judge | None:
    """Return a judge, or none, with a warning, where it cannot run."""
    if settings.children == 0:
        return None
    missing = [name for name in ("math_verify", "sympy", "antlr4") if find_spec(name) is None]
    if missing:
        _warn(f"{', '.join(missing)} is not installed (pip install 'co-rewarding[answers]')")
        return None
    judge = Judge(
        children=settings.children, limits=JudgeLimits(cpu_s=settings.cpu_s), wall_s=settings.wall_s, start_s=60.0
    )
    try:
        await judge.start()
    except JudgeError as error:
        _warn(str(error))
        return None
    return judge


def _warn(why: str) -> None:
    said = f"no judge runs here, so answers that canonical keys do not decide stay undecided: {why}"
    warnings.warn(said, RuntimeWarning, stacklevel=2)
