"""Send commands to the primaries of a cluster: each to the server that has the slot of its keys.

redis-py finds slots (`cluster_topology`), opens and parses. Its RedisCluster would give each waiting request a
connection to its node; here one connection for each primary carries all commands, as for a single server.
"""

# Types of redis are partly unknown.
# pyright: standard

import asyncio
import functools
import hashlib
import itertools
import random
from dataclasses import replace

from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, NoScriptError

from reward_service.errors import StoreUnavailableError
from reward_service.store.cluster_reads import SlotReads
from reward_service.store.cluster_topology import Topology, View, cluster_at
from reward_service.store.connection import ONE, Argument, Command, Durability, RedisConnection, Reply
from reward_service.store.server_connection import ServerConnection
from reward_service.store.server_lists import Host
from reward_service.store.server_replies import PASSING, UNTIMED, LinkLostError

KEY_PLACES = {"EVAL": 3, "EVALSHA": 3, "XGROUP": 2}
"""Where the first key of a command stands, which tells its slot; of all others it is the first argument."""

NO_KEY = frozenset({"ECHO", "PUBLISH"})
"""Commands that any server takes."""

MOST_REDIRECTS = 5

GUARD = "table.remove(KEYS)\n"
"""Stands before each script, and takes away a key that is declared behind its own, and never exists. While a slot
moves key by key to another node, a script would find some of its keys here and others nowhere, and stop half done. A
command that declares a key that is not there is refused as a whole until the slot has moved (TRYAGAIN, ASK)."""

MARK = "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], '', 'EX', 60)"
"""Goes before WAIT (`publish_mark`): nodes of a cluster do not send PUBLISH to their replicas."""

MARKS = 8
"""Of each node so many keys are known for it, in slots of its own: one of them may be moving."""


class ClusterConnection(RedisConnection):
    """One connection to each primary, and the way of each command to the right one.

    A primary that dies or hangs is left as soon as most other nodes have another in its place, and its commands are
    repeated there. While a slot moves, commands of one key go on; scripts wait until it has moved.
    """

    in_cluster = True

    def __init__(self, url: str, *, patience_s: float = 5.0, durability: Durability = ONE) -> None:
        """Opens nothing yet.

        Raises:
            ValueError: as `cluster_at`.
        """
        super().__init__(patience_s, durability)
        self._address = cluster_at(url)
        self._topology = Topology(self._address, self._leave_others)
        self._links: dict[Host, ServerConnection] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._guarded: dict[Argument, str] = {}  # digests of scripts, by those of the same without a guard
        self._marks: dict[Host, list[str]] = {}
        self._reads = SlotReads(self._topology, lambda node: self._link_to(node, ONE))

    async def send(self, command: Command, deadline_s: float) -> Reply:
        """Sends a command to the server of its key, and after it where the key has gone. Raises as the base's."""
        name = command[0]
        if name == "XREADGROUP":
            return await self._reads.read(command, deadline_s)
        if not self._topology.view.primaries:
            await self._topology.known(deadline_s)
        if name in NO_KEY:
            return await self._at(min(self._topology.view.primaries)).send(command, deadline_s)
        key = _bytes(command[KEY_PLACES.get(str(name), 1)])
        slot = key_slot(key)
        scripted = name in ("EVALSHA", "EVAL")
        if scripted:
            command = self._with_guard(command, key)
        for _ in range(MOST_REDIRECTS):
            owner = self._topology.view.owners[slot]
            if owner is None:
                self._topology.look_soon()
                raise LinkLostError(f"no node of the cluster has slot {slot}")
            try:
                return await self._at(owner).send(command, deadline_s)
            except MovedError as moved:
                self._topology.moved(slot, Host(moved.host or owner.name, moved.port))
            except AskError as asked:
                if scripted:  # the node that is asked may lack keys that the script does not declare
                    raise LinkLostError(f"{PASSING['ASK']} (ASK)") from asked
                return await self._ask(Host(asked.host or owner.name, asked.port), command, deadline_s)
            except LinkLostError:
                self._topology.look_soon()
                raise
        raise LinkLostError(f"slot {slot} is sent from node to node")

    async def everywhere(self, *command: Argument) -> list[Reply]:
        """The answers of all primaries. Raises as `execute`."""
        try:
            view = await self._topology.known(asyncio.get_running_loop().time() + self._patience_s)
        except LinkLostError as cause:
            raise StoreUnavailableError(f"Redis did not answer within {self._patience_s:g} s: {cause}") from cause
        return await asyncio.gather(*(self._at(node).execute(*command) for node in sorted(view.primaries)))

    async def close(self) -> None:
        """Ends all connections; commands under way fail with StoreUnavailableError."""
        self._closed = True
        await self._reads.close()
        await self._topology.close()
        await asyncio.gather(*(link.close() for link in self._links.values()), *self._closing)

    async def _ask(self, node: Host, command: Command, deadline_s: float) -> Reply:
        """Sends a command of one key to the node to which its slot is moving: together with leave to answer it."""
        link = self._at(node)
        allowed, answer = link.send(("ASKING",), deadline_s), link.send(command, deadline_s)
        try:
            await allowed
            return await answer
        except MovedError as cause:  # the connection broke between the two
            raise LinkLostError(f"{PASSING['ASK']} (ASK)") from cause

    def _with_guard(self, command: Command, key: bytes) -> Command:
        """The same script, with a key more (see GUARD). Of a script that was not seen yet the whole is asked for."""
        name, script, count, *rest = command
        if name == "EVAL":
            text = f"{GUARD}{script}"
            self._guarded[_digest(script)] = _digest(text)
            script = text
        elif (guarded := self._guarded.get(script)) is not None:
            script = guarded
        else:
            raise NoScriptError("its guarded text is not known yet")
        own = int(count)
        return (name, script, own + 1, *rest[:own], b"cr:absent:{%b}" % _hashed(key), *rest[own:])

    def _at(self, node: Host) -> ServerConnection:
        if node not in self._links:
            durability = self._durability
            if durability.replicas:
                durability = replace(durability, mark=functools.partial(self._mark, node))
            self._links[node] = self._link_to(node, durability)
        return self._links[node]

    def _link_to(self, node: Host, durability: Durability) -> ServerConnection:
        return ServerConnection(
            str(node),
            patience_s=self._patience_s,
            durability=durability,
            connect=lambda _: self._address.connection_to(node, UNTIMED),
            redirected=True,
        )

    def _mark(self, node: Host) -> Command:
        """Writes a key that means nothing into one of the node's slots."""
        if node not in self._marks:
            owners = self._topology.view.owners
            names = (f"cr:replicated:{{{number}}}" for number in range(4 * len(owners)))
            own = (name for name in names if owners[key_slot(name.encode())] == node)
            self._marks[node] = list(itertools.islice(own, MARKS))
        names = self._marks[node] or ["cr:replicated"]  # a node without slots answers nobody
        return ("EVAL", MARK, 1, random.choice(names))  # noqa: S311 - of no secret

    def _leave_others(self, view: View) -> None:
        """Closes the connections to nodes that are primaries no more; what waits there is sent again."""
        self._marks.clear()
        for node in self._links.keys() - view.primaries:
            closing = asyncio.create_task(self._links.pop(node).close(), name="redis-link-closing")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _bytes(key: Argument) -> bytes:
    return key if isinstance(key, bytes) else str(key).encode()


def _hashed(key: bytes) -> bytes:
    """The part of a key that tells its slot (the cluster's specification: hash tags)."""
    tag, closed, _ = key.partition(b"{")[2].partition(b"}")
    return tag if tag and closed else key


def _digest(script: Argument) -> str:
    return hashlib.sha1(_bytes(script), usedforsecurity=False).hexdigest()
