"""Follow a primary that sentinels watch: find it, check that it is one, and leave it once they name another.

redis-py asks the sentinels and opens the connection. What is ours is whom to believe: while a network is parted, a
sentinel on the wrong side names the old primary, and the old primary says that it is one.
"""

# Types of redis are partly unknown.
# pyright: standard

import asyncio
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError

from reward_service.store.server_lists import Host, server_list

SCHEMES = ("redis+sentinel", "rediss+sentinel")
SENTINEL_PORT = 26379

ANSWER_S = 0.5
"""How long a sentinel may take to connect, and to answer: one that hangs holds up a failover no longer."""

WATCH_S = 1.0
"""How often the sentinels are asked whether the primary is still the same."""

_OWN = "sentinel_"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WatchedPrimary:
    """A primary by its name, the sentinels that know where it is, and how to connect to it and to them."""

    name: str
    sentinels: tuple[Host, ...]
    options: Mapping[str, Any] = field(repr=False)
    sentinel_options: Mapping[str, Any] = field(repr=False)


def watched_primary(url: str) -> WatchedPrimary:
    """Reads redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT]/NAME[/DATABASE][?OPTIONS].

    User, password and options are the primary's. The sentinels' own are sentinel_username and sentinel_password.

    Raises:
        ValueError: the URL is not of that form; the message says what to write, and has no password.
    """
    parts = server_list(url, SENTINEL_PORT)
    if parts is None:
        raise ValueError("names no sentinels: write redis+sentinel://HOST:PORT,HOST:PORT/NAME")
    name, _, database = parts.path.partition("/")
    if not name:
        raise ValueError("does not say which primary its sentinels watch: write redis+sentinel://HOST:PORT/NAME")
    if not re.fullmatch(r"\d*", database):
        raise ValueError("names no database: behind the primary's name stands the database's number, or nothing")
    theirs = {key.removeprefix(_OWN): value for key, value in parts.query if key.startswith(_OWN)}
    if unknown := theirs.keys() - {"username", "password"}:
        raise ValueError(f"has options of sentinels that are not known: {', '.join(sorted(unknown))}")
    options = parts.options((each for each in parts.query if not each[0].startswith(_OWN)), database)
    secure = {"ssl": True} | {key: value for key, value in options.items() if key.startswith("ssl_")}
    return WatchedPrimary(name, parts.hosts, options, theirs | (secure if parts.by_tls else {}))


class _ToPrimary:
    """What a connection to a watched primary does besides; stands before redis-py's class of connections."""

    def __init__(self, watched: WatchedPrimary, options: Mapping[str, Any]) -> None:
        """Unopened; `options` are redis-py's, and go before those of the URL."""
        super().__init__(**{**watched.options, **options, "host": "", "port": 0})
        asked = dict(watched.sentinel_options) | {
            "socket_timeout": ANSWER_S,
            "socket_connect_timeout": ANSWER_S,
            "retry": Retry(NoBackoff(), 0),
        }
        self._name = watched.name
        self._sentinel = Sentinel(watched.sentinels, sentinel_kwargs=asked)
        self._watching: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Connects to the primary that the sentinels name.

        Raises:
            redis.exceptions.ConnectionError: no sentinel names one, or it cannot be reached.
            redis.exceptions.ReadOnlyError: it is a replica: the sentinels will name another in a moment.
        """
        self.host, self.port = await self._primary()
        await super().connect()  # type: ignore[misc] - of redis-py's class
        connection: Any = self
        await connection.send_command("ROLE")
        role, *_ = await connection.read_response()
        if role != b"master":
            raise ReadOnlyError(f"{self.host}:{self.port} is named the primary and is a {role.decode()}")
        self._watching = asyncio.create_task(self._watch(), name="redis-sentinels")

    async def disconnect(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - those of redis-py's class
        """Disconnects, also from the sentinels."""
        if self._watching is not None and self._watching is not asyncio.current_task():
            self._watching.cancel()
            self._watching = None
        await super().disconnect(*args, **options)  # type: ignore[misc]
        await self._sentinel.aclose()

    async def _primary(self) -> tuple[str, int]:
        """Where the primary is by the newest failover of which a sentinel knows: each failover has a higher epoch."""
        asking = (sentinel.sentinel_master(self._name) for sentinel in self._sentinel.sentinels)
        answers: list[Any] = await asyncio.gather(*asking, return_exceptions=True)
        known = [each for each in answers if isinstance(each, dict)]
        if not known:
            why = "; ".join(dict.fromkeys(str(each) or type(each).__name__ for each in answers))
            raise MasterNotFoundError(f"no sentinel says where the primary {self._name!r} is: {why}") from answers[0]
        newest = max(known, key=lambda state: state["config-epoch"])
        if not self._sentinel.check_master_state(newest, self._name):
            raise MasterNotFoundError(f"the sentinels say that the primary {self._name!r} is down")
        return newest["ip"], newest["port"]

    async def _watch(self) -> None:
        """Breaks the connection once the sentinels name another primary: a parted one goes on taking writes."""
        own = named = self.host, self.port
        while named == own:
            await asyncio.sleep(WATCH_S)
            # It is down, or they are: what is sent to it will tell. Of any kind: see ServerConnection._keep_connected.
            with contextlib.suppress(Exception):
                named = await self._primary()
        was, now = (f"{host}:{port}" for host, port in (own, named))
        log.warning("the store has another primary", name=self._name, was=was, now=now)
        await super().disconnect(nowait=True)  # type: ignore[misc]


class PrimaryConnection(_ToPrimary, Connection):
    """A connection to the primary that sentinels name."""


class PrimarySSLConnection(_ToPrimary, SSLConnection):
    """The same by TLS, the sentinels too."""


def to_primary(url: str, options: Mapping[str, Any]) -> PrimaryConnection | PrimarySSLConnection:
    """An unopened connection to the primary of a redis+sentinel:// or rediss+sentinel:// URL.

    Raises:
        ValueError: as `watched_primary`.
    """
    kind = PrimarySSLConnection if url.startswith("rediss") else PrimaryConnection
    return kind(watched_primary(url), options)
