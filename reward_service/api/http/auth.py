"""Check API keys: bearer, or HTTP Basic with the key as its password, so that a reward URL can carry the key."""

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence

from co_rewarding_schema.problems import ProblemKind

from reward_service.api.http.problems import Problem

OPEN_PATHS = frozenset({"/health", "/ready", "/version"})
"""What a probe may ask without a key."""

CHALLENGES = {"www-authenticate": "Bearer", "WWW-Authenticate": 'Basic realm="co-rewarding"'}
"""A line for each, because browsers read one challenge of a line. HTTP does not tell the two names apart."""


class Keyring:
    """The keys that clients may show; an empty ring opens every door (the service is then on loopback only)."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Keeps the keys as bytes."""
        self._keys = tuple(key.encode() for key in keys)

    def check(self, path: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Lets a request pass.

        Raises:
            Problem: 401 without a key, 403 with a wrong one.
        """
        if not self._keys or path in OPEN_PATHS:
            return
        shown = next((value for name, value in headers if name == b"authorization"), None)
        key = None if shown is None else _key_of(shown)
        if key is None:
            raise Problem(
                ProblemKind.NO_KEY,
                "this service asks for a key: send `Authorization: Bearer KEY`, or put it into the URL as http://x:KEY@host/.",
                headers=CHALLENGES,
            )
        # Every key is compared, so that the time does not tell which one came near.
        matches = [hmac.compare_digest(key, known) for known in self._keys]
        if not any(matches):
            raise Problem(
                ProblemKind.WRONG_KEY,
                "this key is not one of the service's: check CO_REWARDING_API_KEYS there, and the file that "
                "CO_REWARDING_API_KEYS_FILE (--api-keys-file) names, both as they were when it started.",
            )


def _key_of(header: bytes) -> bytes | None:
    scheme, _, value = header.partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return None
    return None
