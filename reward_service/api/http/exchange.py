"""One request and the answer to it, as the hot routes see them, whatever serves the connection."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from reward_service.api.http.json_reader import Data

Result = TypeVar("Result")


class ClientGoneError(Exception):
    """The client closed its connection; there is nobody to answer."""


class Exchange(Protocol):
    """A request whose body is whole, and whose answer is sent in one piece."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""

    def whole_body(self) -> Data:
        """Return the body, which may be taken once."""
        ...

    async def send(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        media_type: bytes = b"application/json",
    ) -> None:
        """Send the answer.

        Raises:
            ClientGoneError: the client has left; nothing was sent.
        """
        ...

    async def while_there(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what `work` returns, or cancel it when the client goes away.

        Raises:
            ClientGoneError: the client closed its connection, at the latest as the work ended.
        """
        ...


def header(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Return the first value of a header; `name` is in lower case."""
    for key, value in headers:
        if key == name:
            return value
    return None
