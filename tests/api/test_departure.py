"""Whether a client is still there: asked when its answer is ready, and looked for while it waits."""

import asyncio
from typing import Any

import pytest

from reward_service.api.asgi import Departure


class Connection:
    """A client's side of ASGI: it says nothing until it leaves."""

    def __init__(self) -> None:
        self._gone = asyncio.Event()

    def leave(self) -> None:
        self._gone.set()

    async def receive(self) -> dict[str, Any]:
        if not self._gone.is_set():
            await self._gone.wait()
        return {"type": "http.disconnect"}


async def at_rest() -> None:
    """All that was scheduled has run."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("looking", [False, True])
def test_a_client_that_has_left_is_known_to_have_before_it_is_answered(looking: bool):
    async def held() -> tuple[bool, bool]:
        connection = Connection()
        departure = Departure(connection.receive)
        if looking:
            departure.look()
        await at_rest()
        before = departure.left()
        connection.leave()
        try:
            await at_rest()
        except asyncio.CancelledError:
            departure.worker.uncancel()
        after = departure.left()
        departure.forget()
        return before, after

    assert asyncio.run(held()) == (False, True)


def test_asking_leaves_the_connection_as_it_was():
    async def held() -> str:
        connection = Connection()
        departure = Departure(connection.receive)
        assert [departure.left() for _ in range(3)] == [False] * 3
        message = asyncio.create_task(connection.receive())
        await at_rest()
        connection.leave()
        return (await message)["type"]

    assert asyncio.run(held()) == "http.disconnect"


def test_a_client_that_leaves_while_it_is_held_cancels_its_request():
    async def held() -> bool:
        connection = Connection()
        departure = Departure(connection.receive)
        departure.look()
        asyncio.get_running_loop().call_soon(connection.leave)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        departure.worker.uncancel()
        return departure.seen

    assert asyncio.run(held())


def test_a_client_that_leaves_as_its_request_ends_cancels_nothing_else():
    async def held() -> bool:
        connection = Connection()
        departure = Departure(connection.receive)
        departure.look()
        await asyncio.sleep(0)
        connection.leave()
        departure.forget()
        await at_rest()
        return departure.seen

    assert not asyncio.run(held())
