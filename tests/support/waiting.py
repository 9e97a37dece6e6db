"""Wait until something holds, with a deadline: tests never sleep for a guess."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")


async def until(look: Callable[[], Awaitable[Value]], timeout_s: float = 20.0) -> Value:
    """The first truthy value of `look`; fails after `timeout_s` seconds with the last one."""
    deadline_s = time.monotonic() + timeout_s
    while not (value := await look()):
        assert time.monotonic() < deadline_s, f"still {value!r} after {timeout_s:g} s"
        await asyncio.sleep(0.005)
    return value


def wait_until(look: Callable[[], Value], timeout_s: float = 20.0, every_s: float = 0.005) -> Value:
    """The same outside of an event loop; `every_s` spares what is looked at."""
    deadline_s = time.monotonic() + timeout_s
    while not (value := look()):
        assert time.monotonic() < deadline_s, f"still {value!r} after {timeout_s:g} s"
        time.sleep(every_s)
    return value
