"""Say what the head of a request tells of what its body will cost."""

from collections.abc import Sequence

from reward_service.api.http.requests import announced_bytes, header


def least_bytes(headers: Sequence[tuple[bytes, bytes]]) -> int:
    """Return how many bytes a body has at least: those that are announced, or 1 of a body in chunks.

    The others of a body in chunks are paid when they have come; without the first, a key in debt could go on for ever.
    """
    return announced_bytes(headers) or int(header(headers, b"transfer-encoding") is not None)
