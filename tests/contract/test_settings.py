"""Settings and rules that an earlier release has kept are read by this one."""

import time

import msgspec
import pytest
from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.run_settings import RunSettings
from msgspec.structs import asdict

from reward_service.api.rewards.run_cache import RunCache
from reward_service.store.connecting import connection_to
from reward_service.store.keys import RunKeys
from reward_service.store.records import CohortHead, Rules, packed, unpack_head
from reward_service.store.runs import RunStore
from reward_service.store.submissions import Revised
from tests.contract.conftest import World

pytestmark = pytest.mark.anyio
NEW = ("answer_formats", "end_tokens", "thinking", "conventions")


async def test_formats_and_conventions_come_back_as_they_were_put(world: World) -> None:
    settings = RunSettings(
        answer_formats=("json", "answer-tag"), end_tokens=("[|endofturn|]",), thinking="never", conventions="strict"
    )
    await world.runs.put(world.run, settings)
    used = await world.runs.use(world.run)
    assert used is not None
    assert used.settings == settings
    assert Rules.of("majority-voting", used.settings).conventions == "strict"


async def test_settings_without_formats_have_the_defaults(world: World) -> None:
    kept = {name: value for name, value in asdict(RunSettings(group_size=5)).items() if name not in NEW}
    await world.connection.execute("HSET", RunKeys(world.run).settings, "settings", msgspec.json.encode(kept))
    used = await world.runs.use(world.run)
    assert used is not None
    assert used.settings == RunSettings(group_size=5)
    assert (used.settings.answer_formats, used.settings.conventions) == (("boxed",), "lenient")
    assert used.settings.thinking == "read"


async def test_settings_of_a_later_release_are_not_guessed(world: World) -> None:
    kept = asdict(RunSettings()) | {"not_known_yet": 1}
    await world.connection.execute("HSET", RunKeys(world.run).settings, "settings", msgspec.json.encode(kept))
    with pytest.raises(msgspec.ValidationError, match="not_known_yet"):
        await world.runs.use(world.run)


def test_a_cohorts_head_without_conventions_is_lenient() -> None:
    kept = msgspec.msgpack.encode(["q", 1, 0, ["co-rewarding-i", 1, 0.0]])
    head = CohortHead("q", 1, 0, Rules("co-rewarding-i", 1, 0.0, "lenient"))
    assert unpack_head(kept) == unpack_head(packed(head)) == head


async def test_a_run_and_its_evaluation_have_one_revision(world: World) -> None:
    """So what changes the one is noticed by the other, whichever process has read it before."""
    evaluation = f"{world.run}.evaluation"
    assert await world.runs.use("nobody.evaluation") is None
    for size in (4, 2):
        put = await world.runs.put(world.run, RunSettings(group_size=8, evaluation_group_size=size))
        for read in (world.runs.use, world.runs.look):
            assert await read(evaluation) == Revised(put.settings.for_evaluation(), put.revision)
    with pytest.raises(InvalidRunError, match=world.run):
        await world.runs.put(evaluation, RunSettings())


async def test_keys_of_an_evaluation_are_apart_in_the_slot_of_its_run(world: World) -> None:
    keys, own = RunKeys("a"), RunKeys("a.evaluation")
    assert own.settings == keys.settings
    assert (own.prefix, own.jobs) == ("cr:{a}.evaluation:", "cr:{a}.evaluation:jobs")


async def test_a_refusal_stands_where_the_store_cannot_say_whether_the_settings_have_changed(world: World) -> None:
    connection = connection_to(world.url, patience_s=0.1)
    tries = RunCache(RunStore(connection, world.limits), time.monotonic).tries(world.run)
    read = await tries.settings()
    await world.runs.put(world.run, RunSettings(group_size=7))
    assert await tries.changed(), "they have"
    assert (await tries.settings()).revision != read.revision
    await connection.close()
    assert not await tries.changed()
