"""Read the service's URL, or the URLs of its replicas, and the credentials in them."""

import re
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from co_rewarding_client.arguments import check_text, check_text_or_none
from co_rewarding_client.errors import InvalidRequest, invalid
from co_rewarding_client.ray_address import SCHEME, look_up
from co_rewarding_client.replicas import LookAgain


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL taken apart: `url` is without the password, so that it gets into no log.

    `others` are the URLs of further replicas, and `look_again` finds them all anew.
    """

    url: str
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    others: tuple[str, ...] = ()
    look_again: LookAgain | None = None


def parse(base_url: str, api_key: str | None) -> Address:
    """The address `base_url`, which may carry user:password and a path below which the service is mounted.

    Several URLs with commas between them are replicas of one service. ray://NAME is looked up in the Ray cluster, which
    tells the key too unless one is given.

    Raises InvalidRequest for what is not an HTTP URL, for replicas with different credentials, for a name that is not
    found, and for a key that a header cannot carry.
    """
    check_text("base_url", base_url)
    check_text_or_none("api_key", api_key)
    if base_url.startswith(SCHEME):
        found = look_up(base_url)
        address = _joined([_parse_one(url, api_key or found.api_key) for url in found.urls])
        return replace(address, look_again=lambda: _urls_now(base_url))
    return _joined([_parse_one(url.strip(), api_key) for url in re.split(r",(?=\s*https?://)", base_url)])


def shown_url(base_url: str) -> str:
    """Return a base URL, or several, as it may be shown: without user and password, which may be a key."""
    return re.sub(r"//[^/?#]*@", "//", base_url)


def _joined(addresses: list[Address]) -> Address:
    first, *others = addresses
    if any(other.credentials != first.credentials for other in others):
        raise invalid("the base URLs are replicas of one service: give all of them the same user and password")
    return replace(first, others=tuple(other.url for other in others))


def _urls_now(base_url: str) -> tuple[str, ...]:
    try:
        return look_up(base_url).urls
    except InvalidRequest:  # it has no API just now, or the cluster is away
        return ()


def _parse_one(base_url: str, api_key: str | None) -> Address:
    try:
        parts = urlsplit(base_url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise invalid(f"the base URL is not a URL ({error}); give one like http://127.0.0.1:8000") from error
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise invalid("the base URL is not http(s)://host[:port][/path]; give one like http://127.0.0.1:8000")
    # A key read from a file ends in a newline, which would fail in the transport at every try.
    if api_key is not None and not re.fullmatch("[!-~]+", api_key):
        raise invalid("api_key is empty or has blanks, line ends or non-ASCII letters; strip it")
    _userinfo, _at, netloc = parts.netloc.rpartition("@")
    url = parts._replace(netloc=netloc).geturl()
    if "@" not in parts.netloc:
        return Address(url, None, api_key)
    return Address(url, (unquote(parts.username or ""), unquote(parts.password or "")), api_key)
