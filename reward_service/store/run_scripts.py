"""Declare the scripts about runs, workers and time; lua/<name>.lua says what each does and answers."""

from collections.abc import Sequence

from reward_service.store.connection import RedisConnection
from reward_service.store.scripts import Key, Rest, script

RunReply = tuple[
    bytes | None,
    bytes | None,
    Sequence[bytes],
    tuple[int, int, int, int],
    tuple[bytes | None, bytes | None, int, int, bytes | None],
    Sequence[bytes],
]
"""What lua/look_at_run.lua answers."""


@script()
async def put_run(connection: RedisConnection, *, settings: Key, text: bytes, ttl_ms: int) -> bytes: ...


@script("followed")
async def follow(connection: RedisConnection, *, settings: Key, stats: Key, standing: Key, ttl_ms: int) -> None: ...


@script()
async def list_questions(
    connection: RedisConnection,
    *,
    order: Key,
    history: Key,
    most: int,
    after: float | str,
    after_name: bytes,
) -> list[bytes]: ...


@script()
async def touch(connection: RedisConnection, *, settings: Key, ttl_ms: int) -> tuple[bytes, bytes]: ...


@script("traces")
async def look_at_run(
    connection: RedisConnection,
    *,
    settings: Key,
    stats: Key,
    deadlines: Key,
    waits: Key,
    peer_waits: Key,
    jobs: Key,
    teacher: Key,
    asks: Key,
    taken: Key,
    steps: Key,
    series: Key,
    waiting_sums: Key,
    answers: str,
    latest: int,
    spread: int,
    ttl_ms: int,
) -> RunReply: ...


@script()
async def observe_pairs(
    connection: RedisConnection,
    *,
    pairs_seen: Key,
    base: Key,
    quarantined: Key,
    ttl_ms: int,
    kept: float,
    against: float,
    in_favour: float,
    accuse_at: float,
    most: float,
    most_pairs: int,
    observations: Rest,
) -> tuple[int, int]: ...


@script()
async def say_worker(
    connection: RedisConnection, *, workers: Key, lost: Key, clock: Key, worker: str, lately_ms: int
) -> None: ...


@script()
async def count_workers(
    connection: RedisConnection, *, workers: Key, clock: Key, lately_ms: int, unseen_ms: int
) -> int: ...


@script()
async def look_at_clock(connection: RedisConnection, *, clock: Key, unseen_ms: int) -> int: ...
