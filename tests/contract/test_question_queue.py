"""Who works on paraphrase jobs: every question has one outcome, whoever dies, and every job has its turn."""

import pytest

from reward_service.store.paraphrases import PREFIX, ParaphraserPresence
from tests.contract.paraphrase_office import HERE, Office, claims, counted, item, outcome
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def test_an_outcome_is_kept_and_counted_once(office: Office) -> None:
    await office.opened("j", 2)
    await office.queue("one").take(2)
    assert await office.queue("one").keep(("j", 0), counted(0, "first"))
    assert not await office.queue("two").keep(("j", 0), counted(0, "second"))
    standing = await office.standing("j")
    assert (standing.done, standing.counts["fate"]) == (1, {"rewritten": 1})
    assert await office.kept("j", 2) == [(0, item(0), outcome(0, "first"))]


async def test_what_a_dead_paraphraser_had_is_taken_by_another_before_the_rest(office: Office) -> None:
    await office.opened("j", 200)
    dead, living = office.queue("dead", lease_s=0.05), office.queue("living")
    assert claims((await dead.take(2)).items) == [("j", 0), ("j", 1)]
    taken: list[int] = []

    async def took_over() -> int:
        found = await living.take(1)
        taken.extend(each.index for each in found.items)
        return found.left

    assert await until(took_over) == 2
    assert taken[-1] == 0, "at once when its lease had ended, though there were others to take"
    assert claims((await living.take(1)).items) == [("j", 1)]
    assert await dead.keep(("j", 0), counted(0)), "it was only slow: its work counts"
    assert not await living.keep(("j", 0), counted(0))


async def test_a_lease_that_ended_long_ago_and_is_forgotten_holds_nothing(office: Office) -> None:
    await office.opened("j", 4)
    await office.queue("dead").take(2)
    await office.connection.execute("DEL", f"{PREFIX}workers")
    assert claims((await office.queue("living").take(3)).items) == [("j", 0), ("j", 1), ("j", 2)]


async def test_a_paraphraser_that_renews_keeps_what_it_has(office: Office) -> None:
    await office.opened("j", 1)
    slow = office.queue("slow", lease_s=0.3)
    await slow.take(1)
    for _ in range(20):
        assert await slow.renew([("j", 0)], HERE) == []
        assert (await office.queue("other").take(1)).items == []


async def test_what_was_taken_in_an_answer_that_was_lost_comes_back(office: Office) -> None:
    await office.opened("j", 2)
    queue = office.queue()
    await office.queue().take(1)  # the same paraphraser, whose answer went nowhere
    assert claims((await queue.take(5)).items) == [("j", 1)]
    await queue.renew([("j", 1)], HERE)
    assert claims((await queue.take(5)).items) == [("j", 0)]
    await queue.renew([("j", 0), ("j", 1)], HERE)
    assert (await queue.take(5)).items == []


async def test_what_is_given_back_or_left_is_taken_at_once(office: Office) -> None:
    await office.opened("j", 2)
    one, two = office.queue("one"), office.queue("two")
    await one.take(2)
    await two.give_back([("j", 0)])
    assert (await two.take(2)).items == [], "it was not its own to give"
    await one.give_back([("j", 1)])
    assert claims((await two.take(2)).items) == [("j", 1)]
    await one.leave()
    assert claims((await two.take(2)).items) == [("j", 0)]


async def test_who_is_waited_for_comes_first_and_the_others_in_turn(office: Office) -> None:
    await office.opened("a", 8)
    await office.opened("b", 8)
    queue = office.queue()
    shares = [sorted(claims((await queue.take(2)).items)) for _ in range(2)]
    assert shares == [[("a", 0), ("b", 0)], [("a", 1), ("b", 1)]]
    assert [claims((await queue.take(1)).items)[0][0] for _ in range(4)] in (list("abab"), list("baba"))
    await office.opened("now", 3, urgent=True)
    assert claims((await queue.take(2)).items) == [("now", 0), ("now", 1)]
    await office.opened("c", 8)
    assert claims((await queue.take(1)).items) == [("now", 2)]
    taken = [claims((await queue.take(1)).items)[0][0] for _ in range(6)]
    assert sorted(taken[:3]) == sorted(taken[3:]) == list("abc"), "one that comes new waits for one turn of the others"
    assert [each.job for each in await office.jobs.latest(9)] == ["c", "b", "a"], "nobody asked for a job"


async def test_who_works_on_jobs_is_known(office: Office) -> None:
    assert await office.jobs.paraphrasers() == []
    one, two = office.queue("one"), office.queue("two", lease_s=0.05)
    said = ParaphraserPresence("model", 3, away="it loads")
    await one.renew([], said)
    await two.renew([], HERE)

    async def gone() -> bool:
        return await office.jobs.paraphrasers() == [said]

    await until(gone)
    await one.leave()
    assert await office.jobs.paraphrasers() == []


async def test_a_text_is_given_to_one_question_of_a_job(office: Office) -> None:
    await office.opened("j", 2)
    await office.opened("other", 2)
    one, two = office.queue("one"), office.queue("two")
    assert await one.claim_text("j", b"text", b"question")
    assert await one.claim_text("j", b"text", b"question"), "again, as after a lost answer"
    assert not await two.claim_text("j", b"text", b"another question")
    assert await two.claim_text("other", b"text", b"another question"), "another job is another data set"
    assert await office.connection.execute("PTTL", f"{PREFIX}g:j") > 0
    await office.jobs.forget("j")
    assert not await office.connection.execute("EXISTS", f"{PREFIX}g:j")
