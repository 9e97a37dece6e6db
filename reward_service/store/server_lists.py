"""Read Redis URLs that name several servers: redis+KIND://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT][/PATH][?OPTIONS]."""

# Types of redis are partly unknown.
# pyright: standard

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from redis.asyncio.connection import parse_url

_URL = re.compile(r"(?P<scheme>rediss?)\+(?P<kind>\w+)://(?P<place>[^?#]*)(?P<query>\?[^#]*)?")
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:(?P<port>\d{1,5}))?", re.ASCII)


class Host(NamedTuple):
    """Where a server listens."""

    name: str
    port: int

    def __str__(self) -> str:
        """As a URL has it."""
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class ServerList:
    """The parts of such a URL. `path` is what stands behind the first slash, `query` its options in order."""

    scheme: str
    login: str = field(repr=False)
    hosts: tuple[Host, ...]
    path: str
    query: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def by_tls(self) -> bool:
        """Whether the servers are reached by TLS."""
        return self.scheme == "rediss"

    def options(self, query: Iterable[tuple[str, str]], database: str = "") -> dict[str, Any]:
        """redis-py's options of a connection to one of the servers: user, password, and those of the query.

        Raises:
            ValueError: an option cannot be; the message has no password.
        """
        try:
            options = dict(parse_url(f"{self.scheme}://{self.login}host/{database}?{urlencode(list(query))}"))
        except ValueError as cause:
            raise ValueError(f"has options that cannot be used: {cause}") from cause
        for key in ("host", "connection_class"):
            options.pop(key, None)
        return options


def server_list(url: str, port: int) -> ServerList | None:
    """The parts of a URL; None where it names no servers. `port` is that of hosts without one."""
    parts = _URL.fullmatch(url)
    if parts is None:
        return None
    user, at, place = parts["place"].rpartition("@")
    hosts, _, path = place.partition("/")
    found = [_HOST.fullmatch(each) for each in hosts.split(",")]
    servers = tuple(Host(each["host"].strip("[]"), int(each["port"] or port)) for each in found if each)
    if len(servers) < len(found) or any(not 0 < each.port < 65_536 for each in servers):
        return None
    query = tuple(parse_qsl((parts["query"] or "?")[1:], keep_blank_values=True))
    return ServerList(parts["scheme"], f"{user}{at}", servers, path, query)
