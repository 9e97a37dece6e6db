"""Define a connection to the store, whose commands are repeated until they are answered.

`server_connection` is the one to a single server, `cluster_connection` the one to the servers of a cluster, and
`connecting` makes the one that a URL asks for.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reward_service.errors import StoreUnavailableError
from reward_service.store.server_replies import LinkLostError, NotReplicatedError

Argument = str | bytes | int | float
Command = tuple[Argument, ...]
Reply = Any  # what Redis says: bytes, int, None, or a list of these


def publish_mark() -> Command:
    """The command before WAIT, which counts the replicas that have the last write of its own connection.

    What a repeated command finds done was written by another. The command changes no key, and a server whose memory or
    disk is full takes it too. A server of a cluster does not send it to its replicas.
    """
    return ("PUBLISH", "cr:replicated", "")


@dataclass(frozen=True, slots=True)
class Durability:
    """What must be so before a call is answered: so many replicas have all that it saw and wrote.

    Attributes:
        replicas: how many; with 0 the primary's word is enough.
        within_s: how long they may take (s). Commands that come meanwhile wait behind.
        mark: makes the command that replicas are sent in any case, before they are waited for.
    """

    replicas: int = 0
    within_s: float = 1.0
    mark: Callable[[], Command] = publish_mark

    def confirmation(self) -> Command:
        """The command whose answer is the number of replicas that have what was done before."""
        return ("WAIT", self.replicas, max(1, round(self.within_s * 1000)))

    def missed(self) -> NotReplicatedError:
        """Says that they did not have it in time."""
        return NotReplicatedError(self.replicas, self.within_s)


ONE = Durability()


class RedisConnection(ABC):
    """Commands to the store, each repeated until it is answered, or `patience_s` is over.

    Every command must be safe to repeat: a connection that was lost may have carried it out.
    """

    in_cluster = False
    """Whether it finds the servers of a cluster."""

    def __init__(self, patience_s: float, durability: Durability) -> None:
        """Opens nothing yet: the first command does."""
        self._patience_s = patience_s
        self._durability = durability
        self._closed = False

    async def execute(self, *command: Argument) -> Reply:
        """The answer to one command.

        Raises:
            StoreUnavailableError: no answer within `patience_s`, lost connections included; too few replicas have it;
                or Redis takes no writes.
            redis.exceptions.ResponseError: Redis refused the command for another reason.
        """
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._patience_s
        pause_s = 0.02
        while True:
            try:
                return await self.send(command, deadline_s)
            except LinkLostError as cause:
                again_s = pause_s + (self._durability.within_s if isinstance(cause, NotReplicatedError) else 0.0)
                if self._closed or loop.time() + again_s > deadline_s:
                    raise StoreUnavailableError(
                        f"Redis did not {cause.missed} within {self._patience_s:g} s: {cause}"
                    ) from cause
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.5)

    @abstractmethod
    def send(self, command: Command, deadline_s: float) -> Awaitable[Reply]:
        """Sends a command once; the answer, by a time of the event loop.

        Raises:
            LinkLostError: there is none; to repeat the command may help.
            StoreRefusesError: Redis takes no writes.
            redis.exceptions.ResponseError: Redis refused the command for another reason.
        """

    @abstractmethod
    async def everywhere(self, *command: Argument) -> list[Reply]:
        """The answers of every server that holds keys, and is a primary. Raises as `execute`."""

    @abstractmethod
    async def close(self) -> None:
        """Ends the connection; commands under way fail with StoreUnavailableError."""


def as_dict(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """A hash from its flat list of names and values."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
