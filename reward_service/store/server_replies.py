"""Open connections to Redis, and interpret the errors that it answers."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from reward_service.errors import StoreRefusesError
from reward_service.store import sentinels

CONNECT_S = 5.0
"""The longest that opening a connection may take, handshake included, whatever the patience of the calls."""

CODES: tuple[tuple[type[RedisError], str], ...] = (
    (OutOfMemoryError, "OOM"),
    (ReadOnlyError, "READONLY"),
    (BusyLoadingError, "LOADING"),
    (TryAgainError, "TRYAGAIN"),
    (MasterDownError, "MASTERDOWN"),
    (ClusterDownError, "CLUSTERDOWN"),
    (MovedError, "MOVED"),
    (AskError, "ASK"),
)
"""Errors whose code redis-py takes out of the message; subclasses stand before their base."""

REFUSALS = {
    "OOM": "its memory is full (maxmemory): give it more, or wait until finished cohorts expire",
    "MISCONF": "it cannot write to its disk: make room there",
    "NOREPLICAS": "too few of its replicas are connected (min-replicas-to-write)",
}
"""Replies of a server that takes no writes for now, until somebody acts: calls end at once."""

PASSING = {
    "READONLY": "it is a replica",
    "MASTERDOWN": "it is a replica that has lost its master",
    "UNBLOCKED": "its role has changed",
    "LOADING": "it reads its data",
    "BUSY": "it runs a script that does not end",
    "TRYAGAIN": "its slots are moving",
    "CLUSTERDOWN": "its cluster is not whole",
    "MOVED": "its slots have moved to another node",
    "ASK": "its slots are moving to another node",
}
"""Replies of a server that restarts or changes its role: the same command may do in a moment."""

ANEW = frozenset({"READONLY", "MASTERDOWN", "LOADING", "MOVED", "ASK"})
"""After these a new connection is opened: its address may lead to another server by then."""


REDIRECTS = frozenset({"MOVED", "ASK"})
"""Replies of a node of a cluster that name another node."""


class WrongTypeError(ResponseError):
    """A key holds another kind of value than ours: somebody else has written it."""


class LinkLostError(Exception):
    """The connection broke before the answer came. The command may have been carried out: ours can all be repeated."""

    missed = "answer"
    """What Redis did not do, should repeating not help."""


class NotReplicatedError(LinkLostError):
    """Too few replicas have what was done. It may be lost with the primary, so nobody is told that it was done."""

    missed = "replicate"

    def __init__(self, wanted: int, within_s: float) -> None:
        """So many were to have it within `within_s` seconds."""
        super().__init__(
            f"fewer than {wanted} of its replicas had it after {within_s:g} s: see that they run, and are in "
            "step; after a failover, start the server that was lost again, as a replica"
        )


UNTIMED: Mapping[str, Any] = {"protocol": 2, "socket_timeout": None, "socket_connect_timeout": 5.0}
"""redis-py's options of our connections: reads wait for ever."""


def open_connection(url: str) -> AbstractConnection:
    """An unopened redis-py connection to the URL, with reads that wait for ever.

    The URL is redis://, rediss:// or unix://; or redis+sentinel:// or rediss+sentinel://, which lead to the primary.

    Raises:
        ValueError, TypeError, redis.exceptions.RedisError: the URL or its options cannot be.
    """
    if url.startswith(sentinels.SCHEMES):
        return sentinels.to_primary(url, UNTIMED)
    options: dict[str, Any] = dict(parse_url(url))
    connection_class = options.pop("connection_class", Connection)
    return connection_class(**{**options, **UNTIMED})


Connect = Callable[[str], AbstractConnection]


def code_of(error: RedisError) -> str:
    """The word that an error reply begins with."""
    return next((code for kind, code in CODES if isinstance(error, kind)), str(error).partition(" ")[0])


def said(code: str, error: RedisError) -> str:
    """Says what an error reply means: a passing one in our words with its code, another in the server's own words."""
    return f"{PASSING[code]} ({code})" if code in PASSING else str(error)


def refused(code: str, error: RedisError) -> Exception:
    """What a caller is told of an error reply."""
    if code in REFUSALS:
        return StoreRefusesError(f"Redis takes no writes: {REFUSALS[code]} ({code})")
    if code == "WRONGTYPE":
        return WrongTypeError(str(error))
    return LinkLostError(said(code, error)) if code in PASSING else error


async def drop(connection: AbstractConnection) -> None:
    """Closes a connection that is of no more use. What its closing raises tells nothing new."""
    with contextlib.suppress(Exception):
        await connection.disconnect(nowait=True)
