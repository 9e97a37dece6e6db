"""Read the service's URL and the credentials in it."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from co_rewarding_client.arguments import check_text, check_text_or_none
from co_rewarding_client.errors import invalid


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL taken apart: `url` is without the password, so that it gets into no log."""

    url: str
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)


def parse(base_url: str, api_key: str | None) -> Address:
    """The address `base_url`, which may carry user:password and a path below which the service is mounted.

    Raises InvalidRequest for what is not an HTTP URL, and for a key that a header cannot carry.
    """
    check_text("base_url", base_url)
    check_text_or_none("api_key", api_key)
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
