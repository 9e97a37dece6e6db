"""What a connection may take: bytes of a head, time for it and for a body, and how many there may be.

uvicorn bounds none of these. Everything here holds before a key is asked for, and for every route.
"""

import asyncio
import enum
import resource
import time
from dataclasses import dataclass
from typing import Protocol

from reward_service.settings import Settings
from reward_service.telemetry import Metrics

LOOK_S = 1.0
"""How often all connections of a process are looked at: one timer for all, since one for each costs every request."""

SPARE_FILES = 256
MOST_CONNECTIONS = 16_384


class Reason(enum.StrEnum):
    """Why a connection was closed, as metrics count it."""

    CONNECTIONS = "connections"
    HEADERS = "headers"
    URL = "url"
    MALFORMED = "malformed"
    SLOW_HEAD = "slow-head"
    SLOW_BODY = "slow-body"
    CHUNKING = "chunking"
    PIPELINED = "pipelined"
    UNREAD_BODY = "unread-body"
    UNREAD_ANSWER = "unread-answer"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What each connection of a process may take, and how many there may be."""

    head_bytes: int
    headers: int
    url_bytes: int
    head_s: float
    body_s: float
    connections: int

    @classmethod
    def of(cls, settings: Settings) -> "ConnectionLimits":
        """The settings' bounds; without one of connections, what the limit of open files leaves room for."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        room = MOST_CONNECTIONS if files == resource.RLIM_INFINITY else files - SPARE_FILES
        most = settings.max_connections or max(1, min(room, MOST_CONNECTIONS))
        return cls(
            settings.max_header_bytes,
            settings.max_headers,
            settings.max_url_bytes,
            settings.header_timeout_s,
            settings.body_timeout_s,
            most,
        )


class Looked(Protocol):
    """A connection, to be looked at."""

    def look(self) -> None:
        """Close the connection if it makes no progress."""
        ...


class Doorkeeper:
    """Looks at all connections of a process from time to time, and counts those it closes."""

    def __init__(self, bounds: ConnectionLimits, metrics: Metrics) -> None:
        """Nobody is there yet."""
        self.bounds = bounds
        self.now_s = time.monotonic()
        self._metrics = metrics
        self._looking = False

    def watch(self, connections: set[Looked], loop: asyncio.AbstractEventLoop) -> None:
        """A connection was made."""
        if not self._looking:
            self._looking = True
            self.now_s = time.monotonic()
            loop.call_later(LOOK_S, self._look, connections, loop)

    def closed(self, reason: Reason) -> None:
        """A connection is closed for this reason."""
        self._metrics.count(self._metrics.closed_connections, 1, reason.value)

    def _look(self, connections: set[Looked], loop: asyncio.AbstractEventLoop) -> None:
        self.now_s = time.monotonic()
        try:
            for each in tuple(connections):
                each.look()
        finally:  # a fault in one look must not end those to come
            self._looking = bool(connections)
            if self._looking:
                loop.call_later(LOOK_S, self._look, connections, loop)
