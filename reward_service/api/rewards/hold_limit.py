"""End the waiting of those who have been held for as long as their route holds anyone."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Held = TypeVar("Held")


class HoldLimit(Generic[Held]):
    """One limit in seconds for all who are held under it, with one timer.

    All wait equally long, so whoever came first is due first. A timer each would cost more than holding.
    """

    def __init__(self, hold_s: float, end: Callable[[Held], None]) -> None:
        """`end` is called with one whose time is over, when it is under the limit no more."""
        self._hold_s = hold_s
        self._end = end
        # Not a dict, in which the first is found behind all that were removed.
        self._due_s: OrderedDict[Held, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, held: Held) -> None:
        """Begin to count for one."""
        self._due_s[held] = time.perf_counter() + self._hold_s
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._hold_s, self._look)

    def remove(self, held: Held) -> None:
        """Forget one, if its time is not over. The timer goes on: it looks for whoever is due next."""
        self._due_s.pop(held, None)

    def _look(self) -> None:
        self._timer = None
        now_s = time.perf_counter()
        while self._due_s:
            held, due_s = next(iter(self._due_s.items()))
            if due_s > now_s:
                self._timer = asyncio.get_running_loop().call_later(due_s - now_s, self._look)
                return
            del self._due_s[held]
            self._end(held)
