"""Bodies within a limit, collected as they come, and the headers by which one is refused before it is read."""

from collections.abc import Sequence

from reward_service.api.http.exchange import header
from reward_service.api.http.json_reader import Data
from reward_service.api.http.problems import Problem

LARGEST_JOINED_BYTES = 4 << 20
"""A body up to this size is joined at its end, which is fastest. A larger one grows, so that it is in memory once."""


class BodyParts:
    """A body as far as it has come."""

    __slots__ = ("_chunks", "_large", "_most_bytes", "size_bytes")

    def __init__(self, most_bytes: int) -> None:
        """Nothing has come; a body of more than `most_bytes` is refused."""
        self.size_bytes = 0
        self._most_bytes = most_bytes
        self._chunks: list[bytes] = []
        self._large: bytearray | None = None

    def add(self, chunk: bytes) -> None:
        """Keep the next part.

        Raises:
            Problem: 413; what came before is forgotten.
        """
        self.size_bytes += len(chunk)
        if self.size_bytes > self._most_bytes:
            self.whole()
            raise _too_large(self._most_bytes)
        if self._large is not None:
            self._large += chunk
            return
        self._chunks.append(chunk)
        if self.size_bytes > LARGEST_JOINED_BYTES:
            self._large = bytearray().join(self._chunks)
            self._chunks = []

    def whole(self) -> Data:
        """Return all that came, and keep nothing of it."""
        chunks, large = self._chunks, self._large
        self._chunks, self._large = [], None
        if large is not None:
            return large
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def check_body_headers(headers: Sequence[tuple[bytes, bytes]], most_bytes: int) -> None:
    """Refuse a body by what its headers say of it.

    Raises:
        Problem: 413 for one that is announced as too large, 415 for a compressed one.
    """
    if header(headers, b"content-encoding") not in (None, b"identity"):
        raise Problem(415, "compressed", "compressed bodies are not read: send the JSON as it is.")
    announced = header(headers, b"content-length")
    if announced is not None and announced.isdigit() and int(announced) > most_bytes:
        raise _too_large(most_bytes)


def _too_large(most_bytes: int) -> Problem:
    # The rest of the body is not read, so the connection cannot be used again.
    return Problem(
        413,
        "too-large",
        f"the body is larger than {most_bytes} bytes: send fewer rollouts a request, or raise "
        "CO_REWARDING_MAX_BODY_BYTES.",
        headers={"connection": "close"},
    )
