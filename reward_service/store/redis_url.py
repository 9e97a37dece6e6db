"""Check the URL of a Redis, and show it without its password."""

import re
from collections.abc import Callable
from typing import NoReturn
from urllib.parse import quote, urlsplit

from redis.exceptions import RedisError

from reward_service.errors import SettingsError
from reward_service.store import cluster_topology, sentinels
from reward_service.store.server_replies import UNTIMED, open_connection

SCHEMES = ("redis", "rediss", "unix", *sentinels.SCHEMES, *cluster_topology.SCHEMES)

_HOST = r"(\[[^\]]+\]|[^:,/\[\]]+)(:\d+)?"
_PLACE = re.compile(rf"{_HOST}(,{_HOST})*(/\S*)?|/\S*")
"""Where a server is: its host, or those of its sentinels or of its cluster, perhaps with ports; or a socket's path."""

_NO_PORT = "has no port from 1 to 65535: write redis://HOST:PORT, redis://:PASSWORD@HOST:PORT"


def check_address(url: str) -> None:
    """Refuses a URL that leads nowhere, or elsewhere than it seems to.

    Raises:
        SettingsError: the message says what to write instead, and shows no password.
    """
    scheme, separator, rest = url.partition("://")
    place = _place(rest if separator else url)
    if not separator:
        _refuse(url, f"has no scheme: write redis://{place}, or unix:///path for a socket")
    if scheme not in SCHEMES:
        _refuse(
            url,
            f"has a scheme that is not Redis's: write redis://{place}, rediss://{place} for TLS, "
            "redis+sentinel://HOST,HOST/NAME for a primary that sentinels watch, or redis+cluster://HOST,HOST",
        )
    if re.search(r"\s", url):
        _refuse(url, "holds white space")
    if scheme == "unix":
        if not rest.rpartition("@")[2].startswith("/"):
            _refuse(url, "names no socket: write unix:///path")
    else:
        _check_password(url, rest)
        if scheme in sentinels.SCHEMES:
            _read_by(sentinels.watched_primary, url)
        elif scheme in cluster_topology.SCHEMES:
            _read_by(cluster_topology.cluster_at, url)
        else:
            _check_place(url)
    try:
        _open(url)
    except (RedisError, ValueError, TypeError, AttributeError) as cause:  # as redis-py meets a text for an object
        _refuse(url, f"has options that cannot be used: {cause}")


def _check_password(url: str, rest: str) -> None:
    if re.search(r"[/?#\[\]]", rest.rpartition("@")[0]):
        _refuse(
            url,
            "has a password with characters that a URL escapes: write %2F for /, %23 for #, %3F for ?, %40 for @, %5B "
            "and %5D for [ and ]; or put the password into a file and name that (redis_password_file)",
        )


def _read_by(read: Callable[[str], object], url: str) -> None:
    try:
        read(url)
    except ValueError as cause:
        _refuse(url, str(cause))


def _open(url: str) -> None:
    """Makes a connection as commands do, and opens none."""
    if url.startswith(cluster_topology.SCHEMES):
        address = cluster_topology.cluster_at(url)
        address.connection_to(address.hosts[0], UNTIMED)
    else:
        open_connection(url)


def _check_place(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        _refuse(url, _NO_PORT)
    if port == 0:
        _refuse(url, _NO_PORT)
    if not parts.hostname:
        _refuse(url, "names no host: write redis://HOST:PORT, redis://:PASSWORD@HOST:PORT")
    if not re.fullmatch(r"/?\d*", parts.path):
        _refuse(url, "names no database: behind the host stands its number, or nothing")


def with_password(url: str, password: str) -> str:
    """A Redis URL with this password, unless it has one already."""
    scheme, _, rest = url.partition("://")
    where = re.split(r"[/?#]", rest)[0]
    user, colon, _ = where.rpartition("@")[0].partition(":")
    if colon:
        return url
    return f"{scheme}://{user}:{quote(password, safe='')}@{where.rpartition('@')[2]}{rest.removeprefix(where)}"


def without_password(url: str) -> str:
    """A Redis URL as it may be shown, however it is written."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{_place(rest)}" if separator else _place(url)


def _place(rest: str) -> str:
    """What stands behind a password; a word that may be one is hidden."""
    shown = re.split(r"[?#]", rest.rpartition("@")[2])[0]
    if _PLACE.fullmatch(shown):
        return shown
    host = re.match(r"[\w.-]+(?=:)", shown)
    return f"{host[0] if host else ''}:***"


def _refuse(url: str, why: str) -> NoReturn:
    raise SettingsError(f"the URL of Redis, {without_password(url)}, {why}") from None
