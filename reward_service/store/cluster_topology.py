"""Know the primaries of a cluster: which server has which slot, by the newest word of all that can be asked.

redis-py asks and parses. What is ours is whom to believe, and when: its own client takes the word of the first node
that answers, and asks again after an error. A node on the wrong side of a split network names itself for ever, and one
that hangs gives no error. So all are asked, once a second, and of two that claim a slot the newer claim counts, as it
does among the nodes themselves: each failover and each moved slot has a higher epoch.
"""

# Types of redis are partly unknown.
# pyright: standard

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS

from reward_service.store.server_lists import Host, server_list
from reward_service.store.server_replies import LinkLostError

SCHEMES = ("redis+cluster", "rediss+cluster")
PORT = 6379

ANSWER_S = 0.5
"""How long a node may take to connect, and to answer: one that hangs holds up a failover no longer."""

WATCH_S = 1.0
"""How often the nodes are asked whether the primaries are still the same."""

SOON_S = 0.1
"""The same while commands find out that they are not."""

ASKED = 9
"""How many nodes are asked at once, drawn anew each time."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """Some nodes of a cluster, and how to connect to each of its nodes.

    Where `by_name`, connections are by TLS, and nodes go by their host names if they announce some: certificates do.
    """

    hosts: tuple[Host, ...]
    by_name: bool
    options: Mapping[str, Any] = field(repr=False)

    def connection_to(self, node: Host, more: Mapping[str, Any]) -> AbstractConnection:
        """An unopened connection to a node. `more` are options of redis-py, and go before those of the URL."""
        kind = SSLConnection if self.by_name else Connection
        return kind(**{**self.options, **more, "host": node.name, "port": node.port})


def cluster_at(url: str) -> ClusterAddress:
    """Reads redis+cluster://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT][?OPTIONS], or rediss+cluster:// for TLS.

    Raises:
        ValueError: the URL is not of that form; the message says what to write, and has no password.
    """
    parts = server_list(url, PORT)
    if parts is None:
        raise ValueError("names no nodes of a cluster: write redis+cluster://HOST:PORT,HOST:PORT")
    if parts.path not in ("", "0"):
        raise ValueError("names a database, and a cluster has only one: write redis+cluster://HOST:PORT,HOST:PORT")
    return ClusterAddress(parts.hosts, parts.by_tls, parts.options(parts.query))


class Claim(NamedTuple):
    """That a primary has slots, by an epoch: ranges from the first to the last."""

    epoch: int
    node: Host
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class View:
    """What was found out: of each slot the primary that has it, all primaries that have some, all nodes."""

    owners: tuple[Host | None, ...] = (None,) * SLOTS
    primaries: frozenset[Host] = frozenset()
    nodes: frozenset[Host] = frozenset()


Said = Mapping[str, Mapping[str, Any]]
"""CLUSTER NODES of one node, as redis-py reads it: by address what is known of each node."""


def heard(answers: Iterable[tuple[Host, Said]], *, by_name: bool) -> tuple[frozenset[Claim], frozenset[Host]]:
    """The claims of all answers, each with the node that was asked, and all nodes.

    A primary that is known to have failed keeps its claim until another has a newer one.
    """
    claims: set[Claim] = set()
    nodes: set[Host] = set()
    for asked, answer in answers:
        for address, about in answer.items():
            flags = about["flags"].split(",")
            if not {"noaddr", "handshake"}.isdisjoint(flags):
                continue
            ip, _, port = address.rpartition(":")
            name = (by_name and about["hostname"]) or ip.strip("[]") or asked.name  # alone, it does not know its own
            node = Host(name, int(port))
            nodes.add(node)
            if "master" in flags and about["slots"]:
                ranges = tuple((int(first), int(last[0] if last else first)) for first, *last in about["slots"])
                claims.add(Claim(int(about["epoch"]), node, ranges))
    return frozenset(claims), frozenset(nodes)


def newest(claims: Iterable[Claim], nodes: frozenset[Host]) -> View:
    """Who has which slot: of several claims to one, the one with the highest epoch counts."""
    owners: list[Host | None] = [None] * SLOTS
    for claim in sorted(claims):
        for first, last in claim.ranges:
            owners[first : last + 1] = [claim.node] * (last + 1 - first)
    return View(tuple(owners), frozenset(filter(None, owners)), nodes)


class Topology:
    """The view of a cluster, looked at for as long as it is used. `changed` is called with each view that is new."""

    def __init__(self, address: ClusterAddress, changed: Callable[[View], None]) -> None:
        """Asks nobody yet."""
        self._address = address
        self._changed = changed
        self._asked: dict[Host, Redis] = {}
        self._watching: asyncio.Task[None] | None = None
        self._soon, self._known = asyncio.Event(), asyncio.Event()
        self._why: BaseException | None = None  # nobody answered the last time
        self._claims: frozenset[Claim] = frozenset()  # those that the view is made of
        self.view = View()

    async def known(self, deadline_s: float) -> View:
        """The view, as soon as there is one.

        Raises:
            LinkLostError: no node has answered by that time of the event loop.
        """
        self.watch()
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._known.wait()
        except TimeoutError:
            why = str(self._why) or type(self._why).__name__
            raise LinkLostError(f"no node of the cluster says which slots are where: {why}") from self._why
        return self.view

    def watch(self) -> None:
        """Looks from now on, if it does not yet."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="redis-cluster")

    def look_soon(self) -> None:
        """A command has found that the view may be wrong."""
        self._soon.set()

    def moved(self, slot: int, node: Host) -> None:
        """A node says that another has a slot: the next command goes there, and all are asked soon."""
        owners, self._claims = self.view.owners, frozenset()
        self._take(View((*owners[:slot], node, *owners[slot + 1 :]), self.view.primaries | {node}, self.view.nodes))
        self.look_soon()

    async def close(self) -> None:
        """Looks no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        await asyncio.gather(*(client.aclose() for client in self._asked.values()), return_exceptions=True)

    async def _watch(self) -> None:
        """Looks for ever. Lives on whatever asking raises: see ServerConnection._keep_connected."""
        while True:
            try:
                await self._look()
            except Exception as error:
                log.warning("the nodes of the cluster cannot be asked", error=repr(error))
            await asyncio.sleep(SOON_S)
            try:
                async with asyncio.timeout(WATCH_S - SOON_S):
                    await self._soon.wait()
            except TimeoutError:
                continue
            finally:
                self._soon.clear()

    async def _look(self) -> None:
        nodes = [*(self.view.nodes | set(self._address.hosts))]
        some = random.sample(nodes, min(ASKED, len(nodes)))
        answers = await asyncio.gather(*map(self._ask, some), return_exceptions=True)
        said = [(node, each) for node, each in zip(some, answers, strict=True) if isinstance(each, dict)]
        claims, nodes = heard(said, by_name=self._address.by_name)
        if not claims:
            self._why = next((each for each in answers if isinstance(each, BaseException)), None)
            return
        for gone in self._asked.keys() - nodes - set(self._address.hosts):
            await self._asked.pop(gone).aclose()
        if claims != self._claims or nodes != self.view.nodes:
            self._claims = claims
            self._take(newest(claims, nodes))

    async def _ask(self, node: Host) -> Any:  # noqa: ANN401 - what redis-py makes of it
        if node not in self._asked:
            kept = {**self._address.options, "socket_timeout": ANSWER_S, "socket_connect_timeout": ANSWER_S}
            self._asked[node] = Redis(
                host=node.name, port=node.port, ssl=self._address.by_name, retry=Retry(NoBackoff(), 0), **kept
            )
        return await self._asked[node].execute_command("CLUSTER NODES")

    def _take(self, view: View) -> None:
        before, self.view = self.view, view
        self._known.set()
        if view.owners != before.owners:
            was, now = (sorted(map(str, each.primaries)) for each in (before, view))
            if was and was != now:
                log.warning("the cluster has other primaries", was=was, now=now)
            self._changed(view)
