"""Lease work: an item belongs to its holder while the holder renews, and the next one takes expired items."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Generic, TypeVar

import msgspec

from reward_service.store.connection import RedisConnection

Claim = TypeVar("Claim")
"""What an item is known by."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Taken(msgspec.Struct, Generic[Item], frozen=True):
    """What a holder got, and how many items were free again since their holders had died."""

    items: list[Item]
    left: int


class LeaseQueue(ABC, Generic[Claim, Result]):
    """What every queue of such work can do, for one holder. How it is taken and renewed is told by each.

    It remembers nothing of what was taken. Every call is atomic and may be repeated.
    """

    def __init__(self, connection: RedisConnection, holder: str, lease_s: float) -> None:
        """`lease_s` is for how long what was taken is the holder's, unless it says so again."""
        self._connection = connection
        self._lease_ms = max(1, round(lease_s * 1000))
        self.holder = holder

    @abstractmethod
    async def keep(self, claim: Claim, result: Result) -> object:
        """Keeps what an item has come to, whoever holds it by now. The queue says what that has led to."""

    @abstractmethod
    async def give_back(self, claims: Collection[Claim]) -> None:
        """Others may take these at once, as far as they are the holder's."""

    @abstractmethod
    async def leave(self, claims: Collection[Claim]) -> None:
        """The holder stops, and these are what it still has."""
