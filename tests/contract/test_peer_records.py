"""Ballots among settled cohorts: some questions are read at a time, and what cannot be read is no ballot."""

from uuid import uuid4

import pytest

from reward_service.store.connecting import connection_to
from reward_service.store.connection import Argument, RedisConnection, Reply
from reward_service.store.job_records import Job
from reward_service.store.keys import RunKeys, mark_of
from reward_service.store.peer_records import QUESTIONS_AT_ONCE, PeerRecords
from reward_service.store.peers import CastGroup, Group
from reward_service.store.records import BallotRow, BatchRecord, CohortHead, CohortRecord, Rules, packed
from reward_service.store.settling import BatchEnding, Delivery
from tests.contract.conftest import World
from tests.contract.test_finding import join

pytestmark = pytest.mark.anyio
PATIENCE_S = 30.0
METHOD = "majority-voting"


def cohort(question: str, answer: str, first: int = 0) -> CohortRecord:
    head = CohortHead(question, 1, 0, Rules(METHOD, 1, 0.0))
    rows = [BallotRow(0, 0, n, answer) for n in range(first, first + 2)]
    return CohortRecord("settled", ["a", "b"], head, rows, [answer], [0, 0], [], [None, None], [-1, -1])


async def settle(world: World, *cohorts: CohortRecord, record: bytes | None = None) -> str:
    """A batch is settled that has these cohorts, with another record perhaps: its name."""
    name = uuid4().hex
    whole = packed(BatchRecord(world.run, 1, METHOD, list(cohorts), [[0, 1] for _ in cohorts]))
    marks = [mark_of(each.head.question_id, each.head.step) for each in cohorts]
    delivery = Delivery(world.run, Job(b"0-1", batch=name))
    await world.jobs.settle_batch(BatchEnding(delivery, name, record or whole, settled=1, abstained=0, marks=marks))
    return name


async def found(
    world: World, *questions: str, connection: RedisConnection | None = None
) -> list[tuple[str, list[str | None]]]:
    records = PeerRecords(connection or world.connection, world.limits.retention_s)
    groups = await records.groups(world.run, [Group(question, 0, 1) for question in questions], PATIENCE_S)
    return [(each.group.question_id, [row.answer for row in each.rows.values()]) for each in groups]


class Counting:
    """Counts the commands of a connection that are under way."""

    def __init__(self, connection: RedisConnection) -> None:
        self._execute = connection.execute
        self._under_way = self.most = 0
        connection.execute = self.execute

    async def execute(self, *command: Argument) -> Reply:
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        try:
            return await self._execute(*command)
        finally:
            self._under_way -= 1


async def test_questions_are_read_some_at_a_time(world: World) -> None:
    questions = [f"q{number}" for number in range(2 * QUESTIONS_AT_ONCE + 1)]
    await settle(world, *(cohort(question, question) for question in questions))
    connection = connection_to(world.url)
    counting = Counting(connection)
    assert await found(world, *questions, connection=connection) == [(each, [each, each]) for each in questions]
    assert counting.most == QUESTIONS_AT_ONCE
    await connection.close()


UNREADABLE = {"no MessagePack": b"\xc1", "a number": b"\x00", "cut off": packed(cohort("q", "6"))[:-1]}


@pytest.mark.parametrize("unreadable", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_record_that_this_release_cannot_read_holds_no_ballots(world: World, unreadable: bytes) -> None:
    await settle(world, cohort("q", "4"), cohort("other", "5"))
    await settle(world, cohort("q", "6", first=2), record=unreadable)
    await join(world, "joined", "q", 1)
    await world.connection.execute("SET", RunKeys(world.run).record("joined"), unreadable)
    batch = await settle(world, cohort("another", "7"))
    await world.connection.execute("DEL", RunKeys(world.run).batch(batch))
    assert await found(world, "q", "other", "another") == [("q", ["4", "4"]), ("other", ["5", "5"])]


async def test_nothing_is_found_of_a_run_that_this_release_cannot_read(world: World) -> None:
    await settle(world, cohort("q", "4"))
    await world.connection.execute("HSET", RunKeys(world.run).settings, "settings", '{"method": "of-tomorrow"}')
    assert await found(world, "q") == []


@pytest.mark.parametrize(("method", "size"), [("majority-voting", None), ("ground-truth", 4)])
async def test_a_part_is_whole_only_where_groups_are_gathered(world: World, method: str, size: int | None) -> None:
    await world.make(method=method, group_size=4)
    await settle(world, cohort("q", "4"))
    records = PeerRecords(world.connection, world.limits.retention_s)
    (cast,) = await records.groups(world.run, [Group("q", 0, 1)], PATIENCE_S)
    rows = {"o0": BallotRow(0, 0, 0, "4"), "o1": BallotRow(0, 0, 1, "4")}
    assert cast == CastGroup(Group("q", 0, 1), 0, size, rows)
