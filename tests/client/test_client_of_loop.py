"""A client for each event loop, of which a framework may run several at a time, or one after another."""

import asyncio
import gc
import threading
import weakref

from co_rewarding_client import AsyncRewardClient
from co_rewarding_client.training import ClientOfLoop, Endpoint

ENDPOINT = Endpoint(url="http://service")


def test_loops_that_run_side_by_side_keep_their_clients() -> None:
    clients = ClientOfLoop(ENDPOINT)
    found: list[list[AsyncRewardClient]] = []
    turn = threading.Barrier(2)

    async def ask() -> None:
        own: list[AsyncRewardClient] = []
        for _ in range(3):
            turn.wait()
            own.append(clients.get())
        found.append(own)

    threads = [threading.Thread(target=asyncio.run, args=(ask(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(set(own)) for own in found] == [1, 1]
    assert found[0][0] is not found[1][0]


def test_clients_of_closed_loops_are_let_go() -> None:
    clients = ClientOfLoop(ENDPOINT)

    async def ask() -> "weakref.ref[AsyncRewardClient]":
        return weakref.ref(clients.get())

    made = [asyncio.run(ask()) for _ in range(5)]
    gc.collect()
    assert sum(each() is not None for each in made) == 1
