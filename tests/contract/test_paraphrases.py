"""Paraphrase jobs in Redis: every question has one outcome, whoever dies, and every job has its turn."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from reward_service.domain.paraphrases.findings import Evidence, Span
from reward_service.domain.paraphrases.jobs import JobEvent, JobState
from reward_service.domain.paraphrases.policy import Objection, Policy, Review
from reward_service.domain.paraphrases.rewriting import Candidate, Fallback, Fate, Outcome, Question, Recipe
from reward_service.store.link import Link
from reward_service.store.paraphrase_desk import ParaphraseDesk, TakenQuestion
from reward_service.store.paraphrases import (
    PREFIX,
    Begun,
    Item,
    JobStanding,
    Order,
    ParaphraseJobs,
    ParaphraseLimits,
    ParaphraserPresence,
)
from tests.waiting import until

pytestmark = pytest.mark.anyio
RECIPE = Recipe(prompts=("reword", "paper"), candidates=2, fallback=Fallback.SAME_AGAIN, policy=Policy(frozenset("a")))
ORDER = Order("math", RECIPE, "upload")
PRINT = "f" * 32
LEASE_S = 30.0
COUNTED = ("fate:rewritten", "rejected:numbers", "drawn:reword", "drawn:paper", "accepted:paper")
HERE = ParaphraserPresence("model", 0)


@dataclass
class Office:
    """The jobs of a server, empty at first."""

    link: Link
    jobs: ParaphraseJobs

    def desk(self, name: str = "one", lease_s: float = LEASE_S) -> ParaphraseDesk:
        return ParaphraseDesk(self.link, name, lease_s)

    async def opened(self, job: str, of: int, *, urgent: bool = False, order: Order = ORDER) -> None:
        assert await self.jobs.begin(job, PRINT, order, urgent=urgent) is Begun.FILLING
        await self.jobs.fill(job, 0, [item(index) for index in range(of)])
        assert await self.jobs.open(job, of, {"level": "string"})

    async def standing(self, job: str) -> JobStanding:
        found = await self.jobs.look(job)
        assert found is not None
        return found

    async def kept(self, job: str, of: int) -> list[tuple[int, Item, Outcome]]:
        return [each async for each in self.jobs.outcomes(job, of)]


@pytest.fixture
async def office(store_url: str, anyio_backend: str) -> AsyncIterator[Office]:
    link = Link(store_url)
    for key in await link.execute("KEYS", f"{PREFIX}*"):
        await link.execute("DEL", key)
    yield Office(link, ParaphraseJobs(link, ParaphraseLimits(open_jobs=4, retention_s=60.0, urgent_retention_s=20.0)))
    await link.close()


def item(index: int) -> Item:
    return Item(Question(f"q/{index}", f"What is {index} + 1?", str(index + 1)), {"level": "Level 1"})


def outcome(index: int, text: str = "In other words") -> Outcome:
    objection = Objection("numbers", Evidence("3 is new", (Span(0, 1),)))
    candidates = (
        Candidate("reword", "3?", Review(False, (objection,))),
        Candidate("paper", text, Review(True, ()), same_answer=0.75, accepted=True),
    )
    return Outcome(f"q/{index}", Fate.REWRITTEN, text, candidates)


def claims(questions: list[TakenQuestion]) -> list[tuple[str, int]]:
    return [each.claim for each in questions]


async def test_a_job_is_worked_off_in_order_and_read_as_it_came_in(office: Office) -> None:
    await office.opened("j", 3)
    desk = office.desk()
    taken = (await desk.take(2)).questions
    assert [(each.claim, each.order, each.item) for each in taken] == [
        (("j", index), ORDER, item(index)) for index in range(2)
    ]
    assert (await office.standing("j")).taken == 2
    for index in (1, 0):
        assert await desk.keep(("j", index), outcome(index), COUNTED)
    assert claims((await desk.take(5)).questions) == [("j", 2)]
    standing = await office.standing("j")
    assert (standing.state, standing.of, standing.done, standing.taken) == (JobState.RUNNING, 3, 2, 1)
    await desk.keep(("j", 2), outcome(2), COUNTED)
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
    assert (await desk.take(5)).questions == []


async def test_an_outcome_is_kept_and_counted_once(office: Office) -> None:
    await office.opened("j", 2)
    await office.desk("one").take(2)
    assert await office.desk("one").keep(("j", 0), outcome(0, "first"), COUNTED)
    assert not await office.desk("two").keep(("j", 0), outcome(0, "second"), COUNTED)
    standing = await office.standing("j")
    assert (standing.done, standing.counts["fate"]) == (1, {"rewritten": 1})
    assert await office.kept("j", 2) == [(0, item(0), outcome(0, "first"))]


async def test_what_a_dead_paraphraser_had_is_taken_by_another_before_the_rest(office: Office) -> None:
    await office.opened("j", 200)
    dead, living = office.desk("dead", lease_s=0.05), office.desk("living")
    assert claims((await dead.take(2)).questions) == [("j", 0), ("j", 1)]
    taken: list[int] = []

    async def took_over() -> int:
        found = await living.take(1)
        taken.extend(each.index for each in found.questions)
        return found.left

    assert await until(took_over) == 2
    assert taken[-1] == 0, "at once when its lease had ended, though there were others to take"
    assert claims((await living.take(1)).questions) == [("j", 1)]
    assert await dead.keep(("j", 0), outcome(0), COUNTED), "it was only slow: its work counts"
    assert not await living.keep(("j", 0), outcome(0), COUNTED)


async def test_a_lease_that_ended_long_ago_and_is_forgotten_holds_nothing(office: Office) -> None:
    await office.opened("j", 4)
    await office.desk("dead").take(2)
    await office.link.execute("DEL", f"{PREFIX}workers")
    assert claims((await office.desk("living").take(3)).questions) == [("j", 0), ("j", 1), ("j", 2)]


async def test_a_paraphraser_that_renews_keeps_what_it_has(office: Office) -> None:
    await office.opened("j", 1)
    slow = office.desk("slow", lease_s=0.3)
    await slow.take(1)
    for _ in range(20):
        assert await slow.renew(HERE) == []
        assert (await office.desk("other").take(1)).questions == []


async def test_what_was_taken_in_an_answer_that_was_lost_comes_back(office: Office) -> None:
    await office.opened("j", 2)
    desk = office.desk()
    await office.desk().take(1)  # the same paraphraser, whose answer went nowhere
    assert claims((await desk.take(5)).questions) == [("j", 1)]
    await desk.renew(HERE)
    assert claims((await desk.take(5)).questions) == [("j", 0)]
    await desk.renew(HERE)
    assert (await desk.take(5)).questions == []


async def test_what_is_given_back_or_left_is_taken_at_once(office: Office) -> None:
    await office.opened("j", 2)
    one, two = office.desk("one"), office.desk("two")
    await one.take(2)
    await two.give_back([("j", 0)])
    assert (await two.take(2)).questions == [], "it was not its own to give"
    await one.give_back([("j", 1)])
    assert claims((await two.take(2)).questions) == [("j", 1)]
    await one.leave()
    assert claims((await two.take(2)).questions) == [("j", 0)]


async def test_who_is_waited_for_comes_first_and_the_others_in_turn(office: Office) -> None:
    await office.opened("a", 8)
    await office.opened("b", 8)
    desk = office.desk()
    shares = [sorted(claims((await desk.take(2)).questions)) for _ in range(2)]
    assert shares == [[("a", 0), ("b", 0)], [("a", 1), ("b", 1)]]
    assert [claims((await desk.take(1)).questions)[0][0] for _ in range(4)] in (list("abab"), list("baba"))
    await office.opened("now", 3, urgent=True)
    assert claims((await desk.take(2)).questions) == [("now", 0), ("now", 1)]
    await office.opened("c", 8)
    assert claims((await desk.take(1)).questions) == [("now", 2)]
    taken = [claims((await desk.take(1)).questions)[0][0] for _ in range(6)]
    assert sorted(taken[:3]) == sorted(taken[3:]) == list("abc"), "one that comes new waits for one turn of the others"
    assert [each.job for each in await office.jobs.latest(9)] == ["c", "b", "a"], "nobody asked for a job"


async def test_a_paused_job_gives_nothing_and_goes_on_where_it_was(office: Office) -> None:
    await office.opened("j", 3)
    desk = office.desk()
    await desk.take(1)
    assert await office.jobs.steer("j", JobEvent.PAUSE) == (True, JobState.PAUSED)
    assert await office.jobs.steer("j", JobEvent.PAUSE) == (True, JobState.PAUSED)
    assert (await desk.take(3)).questions == []
    assert await desk.keep(("j", 0), outcome(0), COUNTED), "what was under way ends"
    assert await office.jobs.steer("j", JobEvent.RESUME) == (True, JobState.RUNNING)
    assert claims((await desk.take(3)).questions) == [("j", 1), ("j", 2)]
    await office.jobs.steer("j", JobEvent.PAUSE)
    await desk.keep(("j", 1), outcome(1), COUNTED)
    await desk.keep(("j", 2), outcome(2), COUNTED)
    assert await office.jobs.steer("j", JobEvent.RESUME) == (False, JobState.DONE)
    assert await office.jobs.steer("none", JobEvent.PAUSE) == (False, None)


async def test_a_cancelled_job_is_nobodys_work(office: Office) -> None:
    await office.opened("j", 3)
    desk = office.desk()
    await desk.take(2)
    await desk.keep(("j", 0), outcome(0), COUNTED)
    assert await office.jobs.steer("j", JobEvent.CANCEL) == (True, JobState.CANCELLED)
    assert await desk.renew(HERE) == ["j"], "who is at work on it is told"
    assert not await desk.keep(("j", 1), outcome(1), COUNTED)
    assert (await desk.take(3)).questions == []
    standing = await office.standing("j")
    assert (standing.done, standing.taken) == (1, 0)
    assert len(await office.kept("j", 3)) == 1, "what was done can be read"
    assert await office.jobs.steer("j", JobEvent.RESUME) == (False, JobState.CANCELLED)
    assert await office.jobs.forget("j")
    assert not await office.jobs.forget("j")
    assert await office.jobs.look("j") is None
    assert await office.link.execute("KEYS", f"{PREFIX}*:j") == []


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
    assert (await office.desk().take(1)).questions == []
    assert not await office.jobs.open("j", 2, {}), "a part of it is gone"
    assert await office.jobs.begin("j", PRINT, ORDER) is Begun.FILLING, "it may be begun again"
    await office.jobs.fill("j", 1, [item(1)])
    assert await office.jobs.open("j", 2, {})
    assert len((await office.desk().take(5)).questions) == 2


async def test_more_unfinished_jobs_than_allowed_are_refused(office: Office) -> None:
    for job in "abcd":
        await office.opened(job, 1)
    assert await office.jobs.begin("e", PRINT, ORDER) is Begun.FULL
    assert await office.jobs.begin("a", PRINT, ORDER) is Begun.KNOWN
    await office.link.execute("DEL", f"{PREFIX}j:b")  # as when its time has come
    assert await office.jobs.begin("e", PRINT, ORDER) is Begun.FILLING


async def test_every_key_has_a_time_to_live_that_use_prolongs(office: Office) -> None:
    await office.opened("j", 3)
    desk = office.desk()
    await desk.renew(HERE)
    await desk.take(2)
    await desk.give_back([("j", 1)])
    await desk.keep(("j", 0), outcome(0), COUNTED)
    keys = await office.link.execute("KEYS", f"{PREFIX}*")
    assert len(keys) >= 10
    for key in keys:
        assert await office.link.execute("PTTL", key) > 0, key
    for key in keys:
        await office.link.execute("PEXPIRE", key, 5_000)
    await office.standing("j")
    for kind in "jqran":
        assert await office.link.execute("PTTL", f"{PREFIX}{kind}:j") > 50_000, kind


async def test_a_job_whose_time_has_come_is_gone_from_the_queues(office: Office) -> None:
    await office.opened("gone", 3)
    await office.opened("j", 1)
    for kind in "jqrtan":
        await office.link.execute("DEL", f"{PREFIX}{kind}:gone")
    desk = office.desk()
    taken = [*claims((await desk.take(4)).questions), *claims((await desk.take(4)).questions)]
    assert taken == [("j", 0)]
    await desk.take(1)
    assert await office.link.execute("ZSCORE", f"{PREFIX}open", "gone") is None
    assert await office.link.execute("ZSCORE", f"{PREFIX}queue", "gone") is None
    assert [each.job for each in await office.jobs.latest(9)] == ["j"]


async def test_who_works_on_jobs_is_known(office: Office) -> None:
    assert await office.jobs.paraphrasers() == []
    one, two = office.desk("one"), office.desk("two", lease_s=0.05)
    said = ParaphraserPresence("model", 3, away="it loads")
    await one.renew(said)
    await two.renew(HERE)

    async def gone() -> bool:
        return await office.jobs.paraphrasers() == [said]

    await until(gone)
    await one.leave()
    assert await office.jobs.paraphrasers() == []


async def test_an_orders_recipe_comes_back_as_it_was(office: Office) -> None:
    recipe = replace(RECIPE, seed=7, least_agreement=0.25, policy=Policy(frozenset({"numbers"}), frozenset({"leak"})))
    await office.opened("j", 1, order=Order("run", recipe, "a/b.parquet"))
    assert (await office.standing("j")).order == Order("run", recipe, "a/b.parquet")
