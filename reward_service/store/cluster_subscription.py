"""Subscribe to a channel of a cluster, also while its primaries change.

Nodes pass messages on to each other, so one of them is enough to hear all. But each counts its own subscribers only, by
which scripts tell whether a replica of the API lives: so every primary has a subscription more, to a channel without
messages.
"""

# Types of redis are partly unknown.
# pyright: standard

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import NamedTuple

from reward_service.store.cluster_topology import Topology, View, cluster_at
from reward_service.store.keys import presence
from reward_service.store.server_lists import Host
from reward_service.store.server_replies import UNTIMED
from reward_service.store.subscription import listen


async def listen_in_cluster(
    url: str, channel: str, on_message: Callable[[bytes], None], on_subscribed: Callable[[], None]
) -> None:
    """Subscribes for ever; cancel to stop. The callbacks are those of `listen`, and what they raise is raised.

    Raises:
        ValueError: as `cluster_at`.
    """
    subscriptions = _Subscriptions(url, channel, on_message, on_subscribed)
    try:
        await subscriptions.keep()
    finally:
        await subscriptions.close()


class _Place(NamedTuple):
    """A channel at a node."""

    node: Host
    channel: str


class _Subscriptions:
    """One to the channel, at any primary, and one for presence at each of them."""

    def __init__(
        self, url: str, channel: str, on_message: Callable[[bytes], None], on_subscribed: Callable[[], None]
    ) -> None:
        self._url = url
        self._channel = channel
        self._callbacks = on_message, on_subscribed
        self._changed = asyncio.Event()
        self._address = cluster_at(url)
        self._topology = Topology(self._address, self._note)
        self._listening: dict[_Place, asyncio.Task[None]] = {}

    async def keep(self) -> None:
        """Follows the primaries for ever."""
        self._topology.watch()
        while True:
            self._changed.clear()
            self._listen_at(self._wanted())
            change = asyncio.create_task(self._changed.wait(), name="redis-cluster-change")
            try:
                done, _ = await asyncio.wait((change, *self._listening.values()), return_when=asyncio.FIRST_COMPLETED)
            finally:
                change.cancel()
            for ended in done:
                ended.result()

    async def close(self) -> None:
        """Ends all of them."""
        for task in self._listening.values():
            task.cancel()
        await asyncio.gather(*self._listening.values(), return_exceptions=True)
        await self._topology.close()

    def _note(self, _: View) -> None:
        self._changed.set()

    def _wanted(self) -> set[_Place]:
        """The place of the channel stays where it is while its node is a primary."""
        primaries = self._topology.view.primaries
        wanted = {_Place(node, presence(self._channel)) for node in primaries}
        here = [node for node, channel in self._listening if channel == self._channel and node in primaries]
        if primaries:
            node = here[0] if here else random.choice([*primaries])  # noqa: S311 - of no secret
            wanted.add(_Place(node, self._channel))
        return wanted

    def _listen_at(self, places: Iterable[_Place]) -> None:
        for gone in self._listening.keys() - set(places):
            self._listening.pop(gone).cancel()
        for place in set(places) - self._listening.keys():
            self._listening[place] = asyncio.create_task(self._listen(place), name="redis-subscription-at")

    async def _listen(self, place: _Place) -> None:
        on_message, on_subscribed = self._callbacks
        if place.channel != self._channel:
            on_message, on_subscribed = _ignore, _nothing
        await listen(
            self._url,
            place.channel,
            on_message,
            on_subscribed,
            connect=lambda _: self._address.connection_to(place.node, UNTIMED),
        )


def _ignore(_: bytes) -> None:
    """There are no messages."""


def _nothing() -> None:
    """Nobody waits for it."""
