"""Declare the scripts about quotas; lua/<name>.lua says what each does and answers."""

from reward_service.store.connection import RedisConnection
from reward_service.store.scripts import Key, Keys, Rest, script


@script()
async def charge_quotas(
    connection: RedisConnection, *, clock: Key, told: Key, buckets: Keys, turn: int, charges: Rest
) -> list[bytes]: ...


@script()
async def count_held(
    connection: RedisConnection, *, clock: Key, gauges: Keys, process: str, lately_ms: int, held: Rest
) -> list[int]: ...
