"""Paraphrase jobs in Redis: how one comes in, is worked off, steered and read, and when it is gone."""

from dataclasses import replace

import pytest

from reward_service.domain.paraphrases.policy import AcceptancePolicy
from reward_service.domain.paraphrases.rewriting import JobEvent, JobState
from reward_service.store.paraphrases import PREFIX, Begun, JobOrder
from tests.contract.paraphrase_office import HERE, ORDER, PRINT, RECIPE, Office, claims, counted, item, outcome

pytestmark = pytest.mark.anyio


async def test_a_job_is_worked_off_in_order_and_read_as_it_came_in(office: Office) -> None:
    await office.opened("j", 3)
    queue = office.queue()
    taken = (await queue.take(2)).items
    assert [(each.claim, each.order, each.item) for each in taken] == [
        (("j", index), ORDER, item(index)) for index in range(2)
    ]
    assert (await office.standing("j")).taken == 2
    for index in (1, 0):
        assert await queue.keep(("j", index), counted(index))
    assert claims((await queue.take(5)).items) == [("j", 2)]
    standing = await office.standing("j")
    assert (standing.state, standing.of, standing.done, standing.taken) == (JobState.RUNNING, 3, 2, 1)
    await queue.keep(("j", 2), counted(2))
    standing = await office.standing("j")
    assert (standing.state, standing.done, standing.taken) == (JobState.DONE, 3, 0)
    assert standing.ended_s is not None
    assert standing.ended_s >= standing.created_s
    assert standing.columns == {"level": "string"}
    assert standing.counts == {
        "fate": {"rewritten": 3},
        "rejected": {"numbers": 3},
        "drawn": {"reword": 3, "paper": 3},
        "accepted": {"paper": 3},
    }
    assert await office.kept("j", 3) == [(index, item(index), outcome(index)) for index in range(3)]
    assert (await queue.take(5)).items == []


async def test_a_paused_job_gives_nothing_and_goes_on_where_it_was(office: Office) -> None:
    await office.opened("j", 3)
    queue = office.queue()
    await queue.take(1)
    assert await office.jobs.steer("j", JobEvent.PAUSE) == (True, JobState.PAUSED)
    assert await office.jobs.steer("j", JobEvent.PAUSE) == (True, JobState.PAUSED)
    assert (await queue.take(3)).items == []
    assert await queue.keep(("j", 0), counted(0)), "what was under way ends"
    assert await office.jobs.steer("j", JobEvent.RESUME) == (True, JobState.RUNNING)
    assert claims((await queue.take(3)).items) == [("j", 1), ("j", 2)]
    await office.jobs.steer("j", JobEvent.PAUSE)
    await queue.keep(("j", 1), counted(1))
    await queue.keep(("j", 2), counted(2))
    assert await office.jobs.steer("j", JobEvent.RESUME) == (False, JobState.DONE)
    assert await office.jobs.steer("none", JobEvent.PAUSE) == (False, None)


async def test_a_cancelled_job_is_nobodys_work(office: Office) -> None:
    await office.opened("j", 3)
    queue = office.queue()
    await queue.take(2)
    await queue.keep(("j", 0), counted(0))
    assert await office.jobs.steer("j", JobEvent.CANCEL) == (True, JobState.CANCELLED)
    assert await queue.renew([("j", 1)], HERE) == [("j", 1)], "who is at work on it is told"
    assert not await queue.keep(("j", 1), counted(1))
    assert (await queue.take(3)).items == []
    standing = await office.standing("j")
    assert (standing.done, standing.taken) == (1, 0)
    assert len(await office.kept("j", 3)) == 1, "what was done can be read"
    assert await office.jobs.steer("j", JobEvent.RESUME) == (False, JobState.CANCELLED)
    assert await office.jobs.forget("j")
    assert not await office.jobs.forget("j")
    assert await office.jobs.look("j") is None
    assert await office.connection.execute("KEYS", f"{PREFIX}*:j") == []


async def test_a_job_that_comes_twice_is_one(office: Office) -> None:
    await office.opened("j", 1)
    assert await office.jobs.begin("j", PRINT, ORDER) is Begun.KNOWN
    assert await office.jobs.begin("j", "another", ORDER) is Begun.CONFLICT
    await office.jobs.fill("j", 1, [item(7)])
    assert await office.jobs.open("j", 2, {}), "it is open"
    assert (await office.standing("j")).of == 1


async def test_a_job_is_seen_and_worked_on_when_its_last_question_is_there(office: Office) -> None:
    await office.jobs.begin("j", PRINT, ORDER)
    await office.jobs.fill("j", 0, [item(0)])
    assert await office.jobs.look("j") is None
    assert await office.jobs.steer("j", JobEvent.PAUSE) == (False, None)
    assert await office.jobs.latest(9) == []
    assert (await office.queue().take(1)).items == []
    assert not await office.jobs.open("j", 2, {}), "a part of it is gone"
    assert await office.jobs.begin("j", PRINT, ORDER) is Begun.FILLING, "it may be begun again"
    await office.jobs.fill("j", 1, [item(1)])
    assert await office.jobs.open("j", 2, {})
    assert len((await office.queue().take(5)).items) == 2


async def test_more_unfinished_jobs_than_allowed_are_refused(office: Office) -> None:
    for job in "abcd":
        await office.opened(job, 1)
    assert await office.jobs.begin("e", PRINT, ORDER) is Begun.FULL
    assert await office.jobs.begin("a", PRINT, ORDER) is Begun.KNOWN
    await office.connection.execute("DEL", f"{PREFIX}j:b")  # as when its time has come
    assert await office.jobs.begin("e", PRINT, ORDER) is Begun.FILLING


async def test_every_key_has_a_time_to_live_that_use_prolongs(office: Office) -> None:
    await office.opened("j", 3)
    queue = office.queue()
    await queue.renew([], HERE)
    await queue.take(2)
    await queue.give_back([("j", 1)])
    await queue.keep(("j", 0), counted(0))
    keys = await office.connection.execute("KEYS", f"{PREFIX}*")
    assert len(keys) >= 10
    for key in keys:
        assert await office.connection.execute("PTTL", key) > 0, key
    for key in keys:
        await office.connection.execute("PEXPIRE", key, 5_000)
    await office.standing("j")
    for kind in "jqran":
        assert await office.connection.execute("PTTL", f"{PREFIX}{kind}:j") > 50_000, kind


async def test_a_job_whose_time_has_come_is_gone_from_the_queues(office: Office) -> None:
    await office.opened("gone", 3)
    await office.opened("j", 1)
    for kind in "jqrtang":
        await office.connection.execute("DEL", f"{PREFIX}{kind}:gone")
    queue = office.queue()
    taken = [*claims((await queue.take(4)).items), *claims((await queue.take(4)).items)]
    assert taken == [("j", 0)]
    await queue.take(1)
    assert await office.connection.execute("ZSCORE", f"{PREFIX}open", "gone") is None
    assert await office.connection.execute("ZSCORE", f"{PREFIX}queue", "gone") is None
    assert [each.job for each in await office.jobs.latest(9)] == ["j"]


async def test_an_orders_recipe_comes_back_as_it_was(office: Office) -> None:
    recipe = replace(
        RECIPE,
        seed=7,
        least_agreement=0.25,
        doubtful=0.5,
        policy=AcceptancePolicy(frozenset({"numbers"}), frozenset({"leak"})),
    )
    await office.opened("j", 1, order=JobOrder("run", recipe, "a/b.parquet"))
    assert (await office.standing("j")).order == JobOrder("run", recipe, "a/b.parquet")
