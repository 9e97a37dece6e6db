"""Remember the keys of calls that ended without an answer, so that a repeated call is known as the same."""

import hashlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

from co_rewarding_client import encoding


class UnansweredKeys:
    """The keys of calls that ended without an answer, by the body of the call; safe to share between threads.

    A call that was answered and comes again with the same body is another one: small models do repeat themselves.
    """

    MOST = 1024

    def __init__(self, new_key: Callable[[], str]) -> None:
        self._new_key = new_key
        self._keys: dict[bytes, list[str]] = {}
        self._lock = Lock()

    @contextmanager
    def key(self, document: Mapping[str, Any], given: str | None) -> Generator[str, None, None]:
        """Lend the key of a call: the given one; else a new one, unless the same call went without an answer before."""
        if given is not None:
            yield given
            return
        key = self.taken(document) or self._new_key()
        answered = False
        try:
            yield key
            answered = True
        finally:
            if not answered:
                self.keep(document, key)

    def taken(self, document: Mapping[str, Any]) -> str | None:
        """Take a key of such a call; the next one to ask gets another, or None."""
        if not self._keys:
            return None
        name = self._name(document)
        with self._lock:
            keys = self._keys.get(name, [])
            key = keys.pop() if keys else None
            if not keys:
                self._keys.pop(name, None)
        return key

    def keep(self, document: Mapping[str, Any], key: str) -> None:
        """Remember that the call under this key went without an answer."""
        with self._lock:
            self._keys.setdefault(self._name(document), []).append(key)
            if len(self._keys) > self.MOST:
                del self._keys[next(iter(self._keys))]

    @staticmethod
    def _name(document: Mapping[str, Any]) -> bytes:
        return hashlib.sha256(encoding.encoded(document)).digest()
