"""A paraphraser at work: what it keeps, what it gives back, and what it does while its model or Redis is away."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reward_service.domain.paraphrases.rewriting import Fate, JobEvent, JobState, Question, RewritingRecipe
from reward_service.errors import TaskFailedError
from reward_service.generation.generator import GeneratorUnavailableError
from reward_service.lease_worker import LeasePace
from reward_service.paraphrasing.paraphraser import Paraphraser
from reward_service.store.connecting import connection_to
from reward_service.store.connection import RedisConnection
from reward_service.store.embedded import EmbeddedValkey
from reward_service.store.paraphrases import (
    PREFIX,
    JobOrder,
    JobQuestion,
    JobStanding,
    ParaphraseJobs,
    ParaphraseLimits,
)
from reward_service.store.question_queue import QuestionQueue
from tests.support.scripted_rewriter import ScriptedRewriter, apples, in_other_words
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
LEASE_S = 0.5


def question(job: str, index: int) -> Question:
    return Question(f"{job}/{index}", apples(index + 10))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class World:
    connection: RedisConnection
    valkey: EmbeddedValkey
    jobs: ParaphraseJobs

    async def opened(self, job: str, of: int) -> None:
        await self.jobs.begin(job, "f", JobOrder("default", RewritingRecipe(), "here"))
        await self.jobs.fill(job, 0, [JobQuestion(question(job, index)) for index in range(of)])
        await self.jobs.open(job, of, {})

    async def standing(self, job: str) -> JobStanding:
        found = await self.jobs.look(job)
        assert found is not None
        return found

    async def ended(self, job: str) -> JobStanding:
        async def look() -> JobStanding | None:
            standing = await self.standing(job)
            return standing if standing.state is JobState.DONE else None

        found = await until(look)
        assert found is not None
        return found

    @asynccontextmanager
    async def at_work(self, rewriter: ScriptedRewriter, name: str = "one") -> AsyncIterator[Paraphraser]:
        connection = connection_to(self.valkey.url)
        pace = LeasePace(beat_s=0.01, renew_s=0.05)
        paraphraser = Paraphraser(QuestionQueue(connection, name, LEASE_S), rewriter, pace)
        task = asyncio.create_task(paraphraser.run(finish_within_s=0.2))
        try:
            yield paraphraser
        finally:
            paraphraser.stop()
            await task
            await connection.close()


@pytest.fixture
async def world(anyio_backend: str) -> AsyncIterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="cr-"))
    valkey = EmbeddedValkey(folder)
    valkey.start()
    connection = connection_to(valkey.url)
    yield World(connection, valkey, ParaphraseJobs(connection, ParaphraseLimits()))
    await connection.close()
    valkey.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def test_a_job_is_done_by_as_many_at_once_as_the_rewriter_can_use(world: World) -> None:
    await world.opened("j", 40)
    rewriter = ScriptedRewriter(capacity=7)
    async with world.at_work(rewriter):
        standing = await world.ended("j")
    assert rewriter.most_under_way == 7
    assert set(rewriter.asked.values()) == {1}
    assert standing.counts == {
        "fate": {"rewritten": 40},
        "drawn": {"paper": 40},
        "accepted": {"paper": 40},
        "rejected": {},
    }
    texts = [outcome.paraphrase async for _, _, outcome in world.jobs.outcomes("j", 40)]
    assert texts == [in_other_words(question("j", index)) for index in range(40)]


async def test_while_the_model_is_away_one_question_asks_for_it_and_none_is_lost(world: World) -> None:
    await world.opened("j", 12)
    away = True
    tried = 0

    def script(asked: Question) -> str:
        nonlocal tried
        if away:
            tried += 1
            raise GeneratorUnavailableError("it loads", retry_after_s=0.1)
        return in_other_words(asked)

    async with world.at_work(ScriptedRewriter(script)):

        async def said() -> list[str | None]:
            return [each.away for each in await world.jobs.paraphrasers() if each.away]

        assert await until(said) == ["it loads"]
        before = tried
        await until(lambda: _is(tried >= before + 3))
        assert tried < 30, "it is not asked for every question"
        standing = await world.standing("j")
        assert (standing.done, standing.state) == (0, JobState.RUNNING)
        away = False
        assert (await world.ended("j")).counts["fate"] == {"rewritten": 12}

        async def there() -> bool:
            return [each.away for each in await world.jobs.paraphrasers()] == [None]

        await until(there)


async def test_a_question_that_breaks_the_rewriter_fails_alone(world: World) -> None:
    await world.opened("j", 3)

    def script(asked: Question) -> str:
        if asked.question_id == "j/1":
            raise RecursionError("too deep")
        return in_other_words(asked)

    rewriter = ScriptedRewriter(script)
    async with world.at_work(rewriter):
        standing = await world.ended("j")
    assert standing.counts["fate"] == {"rewritten": 2, "failed": 1}
    found = [outcome async for _, _, outcome in world.jobs.outcomes("j", 3)]
    assert (found[1].fate, found[1].error) == (Fate.FAILED, "RecursionError: too deep")
    assert rewriter.asked["j/1"] == 1


async def test_work_on_a_cancelled_job_is_dropped(world: World) -> None:
    await world.opened("j", 1)
    rewriter = ScriptedRewriter(gates={"j/0": asyncio.Event()})
    async with world.at_work(rewriter):
        await until(lambda: _is(rewriter.under_way))
        await world.jobs.steer("j", JobEvent.CANCEL)
        await until(lambda: _is(not rewriter.under_way))
    assert (await world.standing("j")).done == 0


async def test_a_paraphraser_that_stops_leaves_what_it_has_to_others_at_once(world: World) -> None:
    await world.opened("j", 2)
    slow = ScriptedRewriter(gates={"j/0": asyncio.Event(), "j/1": asyncio.Event()})
    async with world.at_work(slow, "slow"):
        await until(lambda: _is(slow.under_way == 2))
    assert [each async for each in world.jobs.outcomes("j", 2)] == []
    async with world.at_work(ScriptedRewriter(), "other"):
        await world.ended("j")


async def test_outcomes_outlast_a_store_that_is_away(world: World) -> None:
    await world.opened("j", 4)
    gates = {f"j/{index}": asyncio.Event() for index in range(4)}
    rewriter = ScriptedRewriter(gates=gates)
    async with world.at_work(rewriter):
        await until(lambda: _is(rewriter.under_way == 4))
        world.valkey.stop()
        for gate in gates.values():
            gate.set()
        await until(lambda: _is(not rewriter.under_way))
        world.valkey.start()
        await world.ended("j")
    assert set(rewriter.asked.values()) == {1}


async def _is(value: object) -> object:
    return value


async def test_a_background_task_that_fails_ends_the_paraphraser(world: World) -> None:
    async def ended() -> bool:
        return all(each.get_name() != "renew" for each in asyncio.all_tasks())

    async def work() -> None:
        async with world.at_work(ScriptedRewriter()):
            await world.connection.execute("SET", f"{PREFIX}said", "of another kind")
            await until(ended)

    with pytest.raises(TaskFailedError, match="renew"):
        await work()
