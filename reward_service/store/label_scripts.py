"""Declare the scripts about the teacher and its labels; lua/<name>.lua says what each does and answers."""

from typing import Literal, TypeAlias

from reward_service.store.connection import RedisConnection
from reward_service.store.scripts import Key, Keys, Rest, script

Version: TypeAlias = int | Literal[""]
"""A step of the policy; '' for the newest whose weights were announced."""


@script("labels", "followed")
async def submit_taught(
    connection: RedisConnection,
    *,
    batch: Key,
    jobs: Key,
    settings: Key,
    teacher: Key,
    waits: Key,
    asks: Key,
    taken: Key,
    waiting: Key,
    ticket: Key,
    clock: Key,
    slot_keys: Keys,
    name: str,
    fingerprint: str,
    payload: bytes,
    revision: str,
    most_jobs: int,
    ttl_ms: int,
    replica: str,
    rollouts: int,
    most_waiting: int,
    patience_ms: int,
    cast: str,
    wanted: Rest,
) -> list[bytes]: ...


@script("labels")
async def prefetch(
    connection: RedisConnection,
    *,
    teacher: Key,
    asks: Key,
    taken: Key,
    slot_keys: Keys,
    ttl_ms: int,
    need: Version,
    coming: Rest,
) -> int: ...


@script()
async def awaited_labels(connection: RedisConnection, *, waiting: Key, prefix: str, batch: str) -> list[int]: ...


@script()
async def peek_labels(connection: RedisConnection, *, asks: Key, prefix: str, version: int) -> tuple[int, int]: ...


@script("labels")
async def take_labels(
    connection: RedisConnection,
    *,
    asks: Key,
    taken: Key,
    clock: Key,
    prefix: str,
    version: int,
    most: int,
    teacher: str,
    lease_ms: int,
    ttl_ms: int,
) -> tuple[int, list[tuple[bytes, bytes, bytes, bytes, int]]]: ...


@script()
async def renew_labels(
    connection: RedisConnection, *, taken: Key, clock: Key, prefix: str, teacher: str, lease_ms: int, slots: Rest
) -> list[bytes]: ...


@script("labels")
async def give_back(
    connection: RedisConnection, *, asks: Key, taken: Key, prefix: str, teacher: str, ttl_ms: int, slots: Rest
) -> int: ...


@script("labels")
async def keep_label(
    connection: RedisConnection,
    *,
    slot: Key,
    asks: Key,
    taken: Key,
    jobs: Key,
    waits: Key,
    clock: Key,
    prefix: str,
    slot_name: str,
    version: int,
    record: bytes,
    ttl_ms: int,
    teacher: str,
) -> int: ...


@script("labels", "peers")
async def expire_waits(
    connection: RedisConnection,
    *,
    waits: Key,
    peer_waits: Key,
    awaited: Key,
    jobs: Key,
    clock: Key,
    prefix: str,
    most: int,
    ttl_ms: int,
    unseen_ms: int,
) -> int: ...


@script()
async def announce(
    connection: RedisConnection,
    *,
    teacher: Key,
    updates: Key,
    seen: str,
    step: str,
    alpha: str,
    update: bytes,
    ttl_ms: int,
) -> list[bytes]: ...


@script()
async def advance(
    connection: RedisConnection, *, teacher: Key, updates: Key, version: int, alpha: str, ttl_ms: int
) -> int: ...


@script()
async def say_teacher(
    connection: RedisConnection,
    *,
    teachers: Key,
    standing: Key,
    clock: Key,
    teacher: str,
    presence: bytes,
    lately_ms: int,
    ttl_ms: int,
) -> None: ...


@script()
async def meet_teachers(
    connection: RedisConnection, *, teachers: Key, clock: Key, lately_ms: int, unseen_ms: int
) -> list[bytes]: ...
