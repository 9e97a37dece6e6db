"""Services beside a browser: Playwright has an event loop in the thread of the tests, so theirs are in another."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from reward_service.serving.supervisor import Supervisor
from tests.support.service import running


@contextlib.contextmanager
def served(**settings: Any) -> Iterator[Supervisor]:
    """A service with these settings; its thread lives as long, since its processes end with it."""
    with ThreadPoolExecutor(1) as thread:
        service = running(**settings)
        supervisor = thread.submit(service.__enter__).result()
        try:
            yield supervisor
        finally:
            thread.submit(service.__exit__, None, None, None).result()


def done_apart(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Does work of asyncio."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(work())).result()
