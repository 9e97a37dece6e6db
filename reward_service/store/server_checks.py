"""Check that a Redis may be trusted with accepted work."""

import asyncio
import math

import structlog
from redis.exceptions import AuthenticationError, ResponseError

from reward_service.errors import StoreUnavailableError, UnusableStoreError
from reward_service.store.connecting import connection_to
from reward_service.store.connection import RedisConnection
from reward_service.store.redis_url import without_password

OLDEST = (7, 0)
FIRST_PATIENCE_S = 0.5
LONGEST_PATIENCE_S = 5.0
SAID_EVERY_S = 10.0

NO_CLUSTER = "cluster support disabled"
"""What a server alone says when it is asked for the nodes of its cluster."""

log = structlog.get_logger(__name__)


async def check_store(connection: RedisConnection) -> None:
    """Refuses a server that may drop what was accepted, is too old, or has only some of the keys.

    Raises:
        UnusableStoreError: the eviction policy is not `noeviction`, the version is below Redis 7.0, or the URL names a
            node of a cluster of several as if it were alone. Of a cluster, every primary is asked.
        StoreUnavailableError: no answer.
    """
    for memory in await _info(connection, "memory"):
        policy = memory.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise UnusableStoreError(
                f"this Redis evicts keys when its memory is full (maxmemory-policy {policy}), and every key here is "
                "work that was accepted. Run `CONFIG SET maxmemory-policy noeviction` (and put it into redis.conf), or "
                "use another Redis."
            )
    for server in await _info(connection, "server"):
        version = server.get("redis_version", "0")
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            raise UnusableStoreError(
                f"this is Redis {version}; the service needs 7.0 or newer (or Valkey 7.2 or newer)."
            )
        # As Redis, as Valkey calls it.
        if not connection.in_cluster and "cluster" in {server.get("redis_mode"), server.get("server_mode")}:
            nodes = int(_fields(await connection.execute("CLUSTER", "INFO")).get("cluster_size", "1"))
            if nodes > 1:
                raise UnusableStoreError(
                    f"this is a node of a Redis Cluster, which keeps the keys on {nodes} servers: name the cluster by "
                    "some of its nodes, redis+cluster://HOST:PORT,HOST:PORT (rediss+cluster:// for TLS)."
                )


async def wait_for_store(url: str, within_s: float = math.inf) -> None:
    """The same for a process that has nothing to do without it: one that is away is waited for, and it says so.

    Raises:
        UnusableStoreError: see `check_store`; or the server asks for another user or password.
        StoreUnavailableError: it did not answer within `within_s` seconds.
    """
    now_s = asyncio.get_running_loop().time
    began_s, said_s, patience_s = now_s(), -math.inf, FIRST_PATIENCE_S
    while True:
        left_s = began_s + within_s - now_s()
        connection = connection_to(url, patience_s=max(0.01, min(patience_s, left_s)))
        try:
            return await check_store(connection)
        except StoreUnavailableError as error:
            why = str(error.__cause__ or error)
            if _is_about_the_password(error):
                told = f"Redis at {without_password(url)} takes no such user or password: {why}"
                raise UnusableStoreError(told) from error
            if NO_CLUSTER in why:
                where = without_password(url)
                raise UnusableStoreError(
                    f"{where} is no cluster: write redis://HOST:PORT for a server alone"
                ) from error
            if left_s <= patience_s:
                where = f"Redis at {without_password(url)} did not answer within {within_s:g} s"
                raise StoreUnavailableError(f"{where}: {why}") from error
            if now_s() - said_s >= SAID_EVERY_S:
                said_s = now_s()
                log.warning("Redis is away; waiting for it", url=without_password(url), error=why)
        finally:
            await connection.close()
        patience_s = min(2 * patience_s, LONGEST_PATIENCE_S)


def _is_about_the_password(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, AuthenticationError):
            return True
        error = error.__cause__
    return False


async def _info(connection: RedisConnection, section: str) -> list[dict[str, str]]:
    """What each server says of itself."""
    try:
        return [_fields(each) for each in await connection.everywhere("INFO", section)]
    except ResponseError as cause:
        raise UnusableStoreError(
            f"Redis refuses INFO {section} ({cause}); the service's user needs that command."
        ) from cause


def _fields(info: bytes) -> dict[str, str]:
    lines = info.decode(errors="replace").splitlines()
    return {name: value for name, separator, value in (line.partition(":") for line in lines) if separator}
