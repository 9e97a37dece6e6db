"""Choose among the addresses of one service: calls go to one until it fails, then to the next."""

import threading
from collections.abc import Callable, Sequence

from co_rewarding_client.flow import Outcome, TransportFailure

LookAgain = Callable[[], Sequence[str]]
"""Returns the addresses as they are now, the nearest first."""

AWAY_STATUSES = frozenset({502, 503, 504})


class Replicas:
    """The addresses of one service, in the order in which they are tried. Threads may share the object.

    A call that failed is made again by its flow, with the same identity or key: at another address it counts once too.
    """

    def __init__(self, urls: Sequence[str], look_again: LookAgain | None = None) -> None:
        """`look_again` is asked when all addresses have failed since one answered last."""
        self._urls = list(urls)
        self._look_again = look_again
        self._at = 0
        self._failed = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where the next call goes."""
        return self._urls[self._at]

    def heed(self, url: str, outcome: Outcome) -> bool:
        """Take the next address if `url` failed and is still the one in use; return whether to `renew` the addresses.

        Calls that failed together at one address are one failure.
        """
        failed = isinstance(outcome, TransportFailure) or outcome.status in AWAY_STATUSES
        with self._lock:
            if url != self.url:
                return False
            if not failed:
                self._failed = 0
                return False
            self._failed += 1
            self._at = (self._at + 1) % len(self._urls)
            return self._look_again is not None and self._failed >= len(self._urls)

    def renew(self) -> None:
        """Look for the addresses again, which may block; where that fails, they stay as they are."""
        assert self._look_again is not None, "heed says when"
        urls = list(self._look_again())
        if urls:
            with self._lock:
                self._urls, self._at, self._failed = urls, 0, 0
