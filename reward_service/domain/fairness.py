"""Fair shares: whoever has used least goes next, and who was away has saved nothing."""

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")


class Line(Protocol[Item]):
    """Where one owner's items wait; a deque is one that gives them in their order."""

    def append(self, item: Item, /) -> None:
        """One more waits."""

    def popleft(self) -> Item:
        """The next, which waits no more."""
        ...

    def __len__(self) -> int:
        """How many wait."""
        ...


class FairQueue(Generic[Item]):
    """Items of many owners. An owner's come as its line gives them; between owners the one that has used least is next.

    What an item costs is known only afterwards, so it is charged then. An owner that comes back after a pause begins at
    what those who wait have used: it has saved nothing, and owes nothing for longer than it uses more than they.
    """

    def __init__(self, line: Callable[[], Line[Item]] = deque) -> None:
        """Nobody waits and nobody has used anything. `line` makes an owner's line."""
        self._line = line
        self._waiting: dict[str, Line[Item]] = {}
        self._used: dict[str, float] = {}
        self._level = 0.0

    def __len__(self) -> int:
        """How many items wait."""
        return sum(map(len, self._waiting.values()))

    def __bool__(self) -> bool:
        """Whether any item waits."""
        return bool(self._waiting)

    def waiting(self, owner: str) -> int:
        """How many items of an owner wait."""
        return len(self._waiting.get(owner, ()))

    def add(self, owner: str, item: Item) -> None:
        """One more item waits."""
        items = self._waiting.get(owner)
        if items is None:
            items = self._waiting[owner] = self._line()
            self._used[owner] = max(self._used.get(owner, 0.0), self._level)
        items.append(item)

    def take(self) -> tuple[str, Item]:
        """The next item and its owner; of owners that have used the same, the one that began to wait first.

        Raises:
            IndexError: nobody waits.
        """
        if not self._waiting:
            raise IndexError("nobody waits")
        owner = min(self._waiting, key=self._used.__getitem__)
        self._level = max(self._level, self._used[owner])
        items = self._waiting.pop(owner)
        item = items.popleft()
        if items:
            self._waiting[owner] = items  # last among those that have used the same
        return owner, item

    def charge(self, owner: str, cost: float) -> None:
        """An owner has used so much."""
        self._used[owner] = max(self._used.get(owner, 0.0), self._level) + cost
        if len(self._used) > 2 * len(self._waiting) + 64:
            self._forget()

    def _forget(self) -> None:
        """Who waits for nothing and has used no more than the others is as one that was never here."""
        if not self._waiting:
            # Nobody is behind anybody: what one has used more than another is kept as it is above the least.
            self._level = max(self._level, min(self._used.values()))
        self._used = {owner: used for owner, used in self._used.items() if owner in self._waiting or used > self._level}
