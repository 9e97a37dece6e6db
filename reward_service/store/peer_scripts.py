"""Declare the scripts about the ballots of peers; lua/<name>.lua says what each does and answers."""

from reward_service.store.connection import RedisConnection
from reward_service.store.scripts import Key, Rest, script


@script()
async def cast_ballots(
    connection: RedisConnection,
    *,
    group: Key,
    steps: Key,
    standing: Key,
    lagging: Key,
    missing: Key,
    step: str,
    attempt: int,
    size: int,
    whole: int,
    alive: int,
    ttl_ms: int,
    ballots: Rest,
) -> tuple[list[bytes], list[bytes]]: ...


@script("followed")
async def look_at_ballots(
    connection: RedisConnection,
    *,
    group: Key,
    steps: Key,
    standing: Key,
    lagging: Key,
    missing: Key,
    settings: Key,
    clock: Key,
    groups: str,
    step: str,
    lag: int,
    final: int,
    asker: str,
    patience_ms: int,
    waiter: str,
    waited_ms: int,
    ttl_ms: int,
) -> tuple[int, list[bytes], int]: ...


@script()
async def stop_waiting(connection: RedisConnection, *, group: Key, lagging: Key, waiters: Rest) -> None: ...


@script()
async def await_peers(
    connection: RedisConnection,
    *,
    subject: Key,
    awaiting: Key,
    waits: Key,
    awaited: Key,
    name: str,
    due_ms: int,
    payload: bytes,
    replicas: str,
    ttl_ms: int,
    missed: Rest,
) -> list[bytes]: ...


@script("peers")
async def waits_no_more(connection: RedisConnection, *, awaiting: Key, waits: Key, awaited: Key, name: str) -> None: ...


@script("peers")
async def peers_came(
    connection: RedisConnection,
    *,
    awaiting: Key,
    jobs: Key,
    waits: Key,
    awaited: Key,
    clock: Key,
    name: str,
    ttl_ms: int,
    came: Rest,
) -> int: ...
