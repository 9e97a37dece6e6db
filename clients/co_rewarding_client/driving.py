"""Drive flows, in a thread or on an event loop, and log their pauses."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from co_rewarding_client.flow import Flow, Outcome, Pause, Send, Work

T = TypeVar("T")

FIRST_SILENCE_S = 15.0
LONGEST_SILENCE_S = 300.0


@dataclass(slots=True)
class RetryLog:
    """Logs pauses. The first one for trouble is a warning, and others follow at growing intervals; the rest is info."""

    clock_s: Callable[[], float]
    _log: logging.Logger = field(default_factory=lambda: logging.getLogger("co_rewarding_client"))
    _last_s: float = float("-inf")
    _due_s: float = float("-inf")
    _silence_s: float = FIRST_SILENCE_S

    def tell(self, pause: Pause) -> None:
        """Log a pause that begins now."""
        if pause.goes_on_s is None:
            self._log.info("%s; next in %.1f s", pause.reason, pause.seconds)
            return
        level = logging.WARNING if self._is_due() else logging.INFO
        self._log.log(
            level, "%s; trying again in %.1f s, for up to %.0f s", pause.reason, pause.seconds, pause.goes_on_s
        )

    def _is_due(self) -> bool:
        now_s = self.clock_s()
        if now_s - self._last_s > LONGEST_SILENCE_S:  # another trouble
            self._due_s, self._silence_s = now_s, FIRST_SILENCE_S
        self._last_s = now_s
        if now_s < self._due_s:
            return False
        self._due_s = now_s + self._silence_s
        self._silence_s = min(2.0 * self._silence_s, LONGEST_SILENCE_S)
        return True


def drive(flow: Flow[T], perform: Callable[[Send], Outcome], sleep: Callable[[float], None], retry_log: RetryLog) -> T:
    """Return what a flow returns; its steps are taken one after the other in this thread."""
    outcome = None
    while True:
        try:
            step = flow.send(outcome)
        except StopIteration as end:
            return end.value
        match step:
            case Pause():
                retry_log.tell(step)
                outcome = sleep(step.seconds)
            case Work():
                outcome = step.do()
            case Send():
                outcome = perform(step)


async def drive_async(
    flow: Flow[T],
    perform: Callable[[Send], Awaitable[Outcome]],
    sleep: Callable[[float], Awaitable[None]],
    retry_log: RetryLog,
) -> T:
    """Return what a flow returns; its steps are taken one after the other on this event loop, or in a thread beside."""
    outcome = None
    while True:
        try:
            step = flow.send(outcome)
        except StopIteration as end:
            return end.value
        match step:
            case Pause():
                retry_log.tell(step)
                outcome = await sleep(step.seconds)
            case Work():
                outcome = await asyncio.to_thread(step.do)
            case Send():
                outcome = await perform(step)
