"""Read the streams of many runs in a cluster, each slot by a read of its own: a node takes none of several slots.

A read that waits takes a connection for itself. The slots that come first in a command have one each, and the others
are looked at in turns without waiting.
"""

# Types of redis are partly unknown.
# pyright: standard

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import islice

from redis.crc import key_slot
from redis.exceptions import AskError, MovedError

from reward_service.store.cluster_topology import Topology
from reward_service.store.connection import Argument, Command, Reply
from reward_service.store.server_connection import ServerConnection
from reward_service.store.server_lists import Host
from reward_service.store.server_replies import LinkLostError

WATCHED = 32
"""How many slots have a connection that waits."""

LOOKED_AT_EVERY_S = 0.25
"""How often the others are looked at."""

STILL_S = 5.0
"""How much longer than it waits a read may take."""


class SlotReads:
    """XREADGROUP over any streams.

    What came for one slot is answered at once; reads of others go on meanwhile, and what they bring is in the next
    answer.
    """

    def __init__(self, topology: Topology, link_to: Callable[[Host], ServerConnection]) -> None:
        """`link_to` makes an unopened connection to a node."""
        self._topology = topology
        self._link_to = link_to
        self._links: dict[int | Host, tuple[Host, ServerConnection]] = {}  # of a slot that waits; of a node for others
        self._reading: dict[int | None, asyncio.Task[list[Reply]]] = {}  # of a slot that waits; None of all others
        self._refused: list[BaseException] = []
        self._looked_s = 0.0

    async def read(self, command: Command, deadline_s: float) -> list[Reply]:
        """Streams with their new entries, as XREADGROUP answers; none if none came in the time of its BLOCK.

        A node that is away is as one without entries: the streams of others are read.

        Raises:
            LinkLostError: no node of the cluster has answered yet.
            WrongTypeError, redis.exceptions.ResponseError: a stream cannot be read.
        """
        if self._refused:
            raise self._refused.pop()
        await self._topology.known(deadline_s)
        block, streams = command.index("BLOCK"), command.index("STREAMS")
        head, wait_s = command[:streams], float(command[block + 1]) / 1000
        by_slot: dict[int, list[Argument]] = {}
        for name in command[streams + 1 : streams + 1 + (len(command) - streams - 1) // 2]:
            by_slot.setdefault(key_slot(str(name).encode()), []).append(name)
        await self._leave(by_slot)
        for slot, names in islice(by_slot.items(), WATCHED):
            if slot not in self._reading:
                self._begin(slot, self._read(slot, slot, (*head, *_all_of(names)), wait_s))
        others = dict(islice(by_slot.items(), WATCHED, None))
        now_s = asyncio.get_running_loop().time()
        if others and None not in self._reading and now_s - self._looked_s >= LOOKED_AT_EVERY_S:
            self._looked_s = now_s
            self._begin(None, self._look_at(others, (*head[:block], *head[block + 2 :])))
        done, _ = await asyncio.wait(
            self._reading.values(), timeout=wait_s + STILL_S, return_when=asyncio.FIRST_COMPLETED
        )
        return self._joined(done)

    async def close(self) -> None:
        """Ends all reads; what they bring now is left to whoever claims it."""
        for task in self._reading.values():
            task.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)
        await asyncio.gather(*(link.close() for _, link in self._links.values()))

    def _begin(self, slot: int | None, reading: Coroutine[None, None, list[Reply]]) -> None:
        self._reading[slot] = asyncio.create_task(reading, name="redis-slot-read")

    def _joined(self, done: set[asyncio.Task[list[Reply]]]) -> list[Reply]:
        self._reading = {slot: task for slot, task in self._reading.items() if task not in done}
        answers: list[Reply] = []
        for task in done:
            error = task.exception()
            if error is not None:  # told after what came for the others, which nobody else would bring
                self._refused.append(error)
            else:
                answers += task.result()
        if self._refused and not answers:
            raise self._refused.pop()
        return answers

    async def _look_at(self, by_slot: Mapping[int, list[Argument]], head: Command) -> list[Reply]:
        """Reads many slots without waiting, over one connection to each node."""
        owners = self._topology.view.owners
        reads = (
            self._read(slot, owner, (*head, *_all_of(names)), 0.0)
            for slot, names in by_slot.items()
            if (owner := owners[slot]) is not None
        )
        return [stream for answer in await asyncio.gather(*reads) for stream in answer]

    async def _read(self, slot: int, by: int | Host, command: Command, wait_s: float) -> list[Reply]:
        """Reads the streams of one slot over a link of its own, or over that of its node."""
        node = self._topology.view.owners[slot]
        try:
            if node is None:
                raise LinkLostError(f"no node of the cluster has slot {slot}")
            if by not in self._links:
                self._links[by] = node, self._link_to(node)
            _, link = self._links[by]
            return await link.send(command, asyncio.get_running_loop().time() + wait_s + STILL_S) or []
        except MovedError as moved:
            self._topology.moved(slot, Host(moved.host or (node.name if node else ""), moved.port))
        except (AskError, LinkLostError):  # it is away, or the slot is moving: what is in it waits
            self._topology.look_soon()
            await asyncio.sleep(LOOKED_AT_EVERY_S)
        return []

    async def _leave(self, wanted: Mapping[int, list[Argument]]) -> None:
        """Closes the connections to nodes that have their slot no more, and those of slots that nobody reads."""
        view = self._topology.view
        in_use = {*wanted, *self._reading}
        too_many = len(self._links) > 2 * WATCHED
        for by, (node, link) in [*self._links.items()]:
            if isinstance(by, Host):
                over = node not in view.primaries
            else:
                over = node != view.owners[by] or (too_many and by not in in_use)
            if over:
                del self._links[by]
                await link.close()


def _all_of(names: Sequence[Argument]) -> Command:
    """The end of a read: all that nobody has read yet of these streams."""
    return ("STREAMS", *names, *(">" for _ in names))
