"""Declare the scripts about paraphrase jobs; lua/<name>.lua says what each does and answers."""

from typing import TypeAlias, TypedDict

from reward_service.store.connection import RedisConnection
from reward_service.store.scripts import Key, Rest, script

LookedAt: TypeAlias = tuple[bytes, bytes, bytes | None, bytes, bytes, bytes, bytes, bytes | None]
"""State, order, columns, whether it is urgent, of, done, created, ended."""


class JobKeys(TypedDict):
    """What every script about jobs is given: what all keys begin with, and the clock by which leases and ages go."""

    prefix: Key
    clock: Key


@script("paraphrases")
async def begin_paraphrases(
    connection: RedisConnection,
    *,
    prefix: Key,
    clock: Key,
    job: str,
    fingerprint: str,
    order: bytes,
    urgent: int,
    ttl_ms: int,
    filling_ms: int,
    most_open: int,
) -> bytes: ...


@script("paraphrases")
async def fill_paraphrases(
    connection: RedisConnection, *, prefix: Key, clock: Key, job: str, filling_ms: int, first: int, questions: Rest
) -> int: ...


@script("paraphrases")
async def open_paraphrases(
    connection: RedisConnection, *, prefix: Key, clock: Key, job: str, of: int, columns: bytes
) -> int: ...


@script("paraphrases")
async def steer_paraphrases(
    connection: RedisConnection, *, prefix: Key, clock: Key, job: str, event: str
) -> tuple[int, bytes]: ...


@script("paraphrases")
async def look_paraphrases(
    connection: RedisConnection, *, prefix: Key, clock: Key, job: str
) -> tuple[LookedAt, int, list[bytes]] | None: ...


@script("paraphrases")
async def forget_paraphrases(connection: RedisConnection, *, prefix: Key, clock: Key, job: str) -> int: ...


@script("paraphrases")
async def meet_paraphrasers(connection: RedisConnection, *, prefix: Key, clock: Key, unseen_ms: int) -> list[bytes]: ...


@script("paraphrases")
async def watch_paraphrases(
    connection: RedisConnection, *, prefix: Key, clock: Key, unseen_ms: int
) -> tuple[int, int, int, int, int, int, list[bytes]]: ...


@script("paraphrases")
async def take_paraphrases(
    connection: RedisConnection, *, prefix: Key, clock: Key, worker: str, most: int, lease_ms: int
) -> tuple[int, list[tuple[bytes, bytes, int, bytes]]]: ...


@script("paraphrases")
async def renew_paraphrases(
    connection: RedisConnection, *, prefix: Key, clock: Key, worker: str, lease_ms: int, presence: bytes, claims: Rest
) -> list[bytes]: ...


@script("paraphrases")
async def return_paraphrases(
    connection: RedisConnection, *, prefix: Key, clock: Key, worker: str, claims: Rest
) -> None: ...


@script("paraphrases")
async def keep_paraphrase(
    connection: RedisConnection,
    *,
    prefix: Key,
    clock: Key,
    job: str,
    index: int,
    outcome: bytes,
    counted: Rest,
) -> int: ...


@script("paraphrases")
async def leave_paraphrases(connection: RedisConnection, *, prefix: Key, clock: Key, worker: str) -> int: ...


@script("paraphrases")
async def claim_text(
    connection: RedisConnection, *, prefix: Key, clock: Key, job: str, text: bytes, question: bytes
) -> int: ...
