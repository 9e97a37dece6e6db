"""Connect to the store of a URL, whichever kind it is."""

from collections.abc import Callable

from reward_service.store import cluster_topology
from reward_service.store.cluster_connection import ClusterConnection
from reward_service.store.cluster_subscription import listen_in_cluster
from reward_service.store.connection import ONE, Durability, RedisConnection
from reward_service.store.server_connection import ServerConnection
from reward_service.store.subscription import listen


def connection_to(url: str, *, patience_s: float = 5.0, durability: Durability = ONE) -> RedisConnection:
    """An unopened connection to a store.

    Raises:
        ValueError, redis.exceptions.RedisError: the URL or its options cannot be.
    """
    kind = ClusterConnection if url.startswith(cluster_topology.SCHEMES) else ServerConnection
    return kind(url, patience_s=patience_s, durability=durability)


async def listen_at(
    url: str, channel: str, on_message: Callable[[bytes], None], on_subscribed: Callable[[], None]
) -> None:
    """Subscribes to a channel of a store for ever; cancel to stop. The callbacks are those of `listen`."""
    listening = listen_in_cluster if url.startswith(cluster_topology.SCHEMES) else listen
    await listening(url, channel, on_message, on_subscribed)
