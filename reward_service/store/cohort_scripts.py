"""Declare the scripts about cohorts, batches and jobs; lua/<name>.lua says what each does and answers."""

from typing import Literal

from reward_service.store.connection import RedisConnection
from reward_service.store.scripts import Key, Keys, Rest, script


@script("followed")
async def submit(
    connection: RedisConnection,
    *,
    batch: Key,
    jobs: Key,
    settings: Key,
    ticket: Key,
    peer_waits: Key,
    clock: Key,
    name: str,
    fingerprint: str,
    payload: bytes,
    revision: str,
    most_jobs: int,
    ttl_ms: int,
    replica: str,
    rollouts: int,
    most_waiting: int,
    cast: str,
) -> list[bytes]: ...


@script("cohort", "followed")
async def join(
    connection: RedisConnection,
    *,
    jobs: Key,
    deadlines: Key,
    settings: Key,
    ticket: Key,
    batch: Key,
    peer_waits: Key,
    clock: Key,
    cohort_keys: Keys,
    revision: str,
    most_jobs: int,
    most_open: int,
    patience_ms: int,
    ttl_ms: int,
    replica: str,
    content: bytes,
    lists: str,
    period_ms: int,
    coming: Rest,
) -> list[bytes]: ...


@script("cohort", "places", "followed")
async def place(
    connection: RedisConnection,
    *,
    jobs: Key,
    deadlines: Key,
    settings: Key,
    clock: Key,
    revision: str,
    most_jobs: int,
    most_open: int,
    patience_ms: int,
    ttl_ms: int,
    replica: str,
    prefix: str,
    heartbeat_ms: int,
    lists: str,
    period_ms: int,
    coming: Rest,
) -> list[tuple[bytes, bytes, bytes, int] | tuple[bytes]]: ...


@script("places")
async def leave(connection: RedisConnection, *, rounds: Key, texts: Key, leaving: Rest) -> int: ...


@script()
async def watch(connection: RedisConnection, *, cohort_keys: Keys, replica: str) -> list[bytes | None]: ...


@script("cohort")
async def hold(connection: RedisConnection, *, alive: Key, clock: Key) -> None: ...


@script()
async def find(
    connection: RedisConnection,
    *,
    in_slot_of: Key,
    lists: str,
    mark: bytes,
    period_ms: int,
    ttl_ms: int,
    most: int,
    most_seen: int,
    from_period: int | Literal[""],
    names_left: int | Literal[""],
) -> list[bytes]: ...


@script()
async def list_noted(
    connection: RedisConnection,
    *,
    in_slot_of: Key,
    lists: str,
    period_ms: int,
    ttl_ms: int,
    most: int,
    from_period: int | Literal[""],
    from_list: int,
    names_left: int | Literal[""],
) -> list[bytes]: ...


@script("cohort", "followed")
async def expire(
    connection: RedisConnection,
    *,
    deadlines: Key,
    jobs: Key,
    settings: Key,
    clock: Key,
    prefix: str,
    most: int,
    ttl_ms: int,
    unseen_ms: int,
    group: str,
) -> tuple[int, int]: ...


@script()
async def acknowledge(connection: RedisConnection, *, jobs: Key, group: str, entry: bytes) -> None: ...


@script()
async def forget_consumers(connection: RedisConnection, *, jobs: Key, group: str, idle_ms: int) -> None: ...


@script("cohort", "traces")
async def settle_cohort(
    connection: RedisConnection,
    *,
    cohort: Key,
    kept: Key,
    jobs: Key,
    stats: Key,
    history: Key,
    series: Key,
    steps: Key,
    waiting_sums: Key,
    seen_state: str,
    seen_size: int,
    event: str,
    record: bytes,
    ttl_ms: int,
    entry: bytes,
    group: str,
    qualified_name: str,
    answers: str,
    orders: str,
    noted: bytes,
    sums: bytes,
    most_questions: int,
    run_ttl_ms: int,
) -> bytes: ...


@script("cohort", "traces")
async def settle_batches(
    connection: RedisConnection,
    *,
    jobs: Key,
    stats: Key,
    history: Key,
    series: Key,
    steps: Key,
    waiting_sums: Key,
    batches: Keys,
    ttl_ms: int,
    group: str,
    settled: int,
    abstained: int,
    noted: bytes,
    sums: bytes,
    lists: str,
    answers: str,
    orders: str,
    most_questions: int,
    run_ttl_ms: int,
    ended: Rest,
) -> bytes: ...


@script("traces")
async def read_series(
    connection: RedisConnection,
    *,
    series: Key,
    steps: Key,
    waiting_sums: Key,
    answers: str,
    most: int,
    ttl_ms: int,
) -> list[bytes]: ...
