"""How long trainers' own requests are held, by route; whoever is told to come again keeps the place, and votes once."""

import asyncio
import json
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from reward_service.settings import Settings
from reward_service.store.embedded import EmbeddedValkey
from tests.integration.test_held_singles import GROUP, REWARDS, TEXTS, ballots, tasks_of_requests
from tests.support.in_process import HOST, InProcess, service
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
HOLD_S = 0.3


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store() -> Iterator[EmbeddedValkey]:
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        server = EmbeddedValkey(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
async def served(store: EmbeddedValkey, request: pytest.FixtureRequest) -> AsyncIterator[InProcess]:
    """A service with these limits; by default it holds slime's requests for a moment, OpenRLHF's until they settle."""
    limits: dict[str, Any] = getattr(request, "param", {"remote_rm_hold_s": HOLD_S})
    settings = Settings(data_dir=store.folder, redis_url=store.url, log_level="ERROR", **limits)
    async with service(settings) as served:
        yield served


@pytest.fixture
async def client(served: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{served.port}", timeout=30.0, limits=limits) as client:
        yield client


@pytest.fixture
async def run(client: httpx.AsyncClient) -> str:
    name = f"run-{uuid4().hex[:8]}"
    await client.put(f"/v1/runs/{name}", json={"method": "majority-voting", "group_size": GROUP})
    assert (await slime(client, name, "warm", "\\boxed{1}", n=1)).status_code == 200  # its settings are at hand now
    return name


async def slime(client: httpx.AsyncClient, run: str, question: str, text: str, **label: Any) -> httpx.Response:
    whole = {"question_id": question, "run": run, "n": GROUP, "view": "original"} | label
    return await client.post("/v1/remote_rm", json={"prompt": "Q", "response": text, "label": whole})


def openrlhf(run: str, texts: Sequence[str], **label: Any) -> dict[str, Any]:
    whole = json.dumps({"question_id": "q", "run": run, "n": GROUP, "view": "original"} | label)
    return {"query": [f"Q{text}" for text in texts], "prompts": ["Q"] * len(texts), "labels": [whole] * len(texts)}


def assert_come_again(answer: httpx.Response, *words: str) -> None:
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), answer.text
    for word in words:
        assert word in answer.json()["detail"]


async def test_a_single_is_held_without_a_task_and_told_what_it_waits_for(client: httpx.AsyncClient, run: str) -> None:
    sent = [asyncio.create_task(slime(client, run, "q", text)) for text in TEXTS[:2]]

    async def placed() -> bool:
        return await ballots(client, run, "q") == 2

    await until(placed)
    assert tasks_of_requests() == []
    for each in sent:
        assert_come_again(await each, "the original of 'q' (2 of 4 ballots)", "send the same request again")


async def test_who_comes_again_keeps_the_place_and_votes_once(client: httpx.AsyncClient, run: str) -> None:
    for _ in range(3):
        for answer in await asyncio.gather(*(slime(client, run, "q", text) for text in TEXTS[:-1])):
            assert_come_again(answer, "(3 of 4 ballots)")
    answers = await asyncio.gather(*(slime(client, run, "q", text) for text in TEXTS))
    assert [answer.json()["reward"] for answer in answers] == REWARDS
    assert {answer.json()["vote_share"] for answer in answers} == {0.75}
    assert await ballots(client, run, "q") == GROUP


async def test_who_comes_again_after_the_others_were_rewarded_is_rewarded_too(
    client: httpx.AsyncClient, run: str
) -> None:
    assert_come_again(await slime(client, run, "q", TEXTS[0]))
    answers = await asyncio.gather(*(slime(client, run, "q", text) for text in TEXTS[1:]))
    assert [answer.json()["reward"] for answer in answers] == REWARDS[1:]
    assert (await slime(client, run, "q", TEXTS[0])).json()["reward"] == REWARDS[0]


async def test_the_other_route_holds_until_the_cohort_is_settled(client: httpx.AsyncClient, run: str) -> None:
    early = [asyncio.create_task(client.post("/get_reward", json=openrlhf(run, [text]))) for text in TEXTS[:2]]
    assert_come_again(await slime(client, run, "q", TEXTS[2]))  # which takes as long as any of that route
    assert not any(each.done() for each in early)
    last = await asyncio.gather(*(slime(client, run, "q", text) for text in TEXTS[2:]))
    found = [(await each).json()["rewards"] for each in early] + [each.json()["reward"] for each in last]
    assert found == [REWARDS[0], REWARDS[1], REWARDS[2], REWARDS[3]]


async def test_a_rollout_with_an_index_is_told_too_and_votes_once(client: httpx.AsyncClient, run: str) -> None:
    for _ in range(2):
        assert_come_again(await slime(client, run, "q", TEXTS[0], rollout=0), "the original of 'q' (1 of 4 ballots)")
    coming = (slime(client, run, "q", text, rollout=place) for place, text in enumerate(TEXTS))
    assert [answer.json()["reward"] for answer in await asyncio.gather(*coming)] == REWARDS


async def test_a_rollout_whose_teacher_is_away_is_told_so(client: httpx.AsyncClient) -> None:
    name = f"run-{uuid4().hex[:8]}"
    await client.put(f"/v1/runs/{name}", json={"method": "co-rewarding-ii", "group_size": GROUP})
    answer = await slime(client, name, "q", TEXTS[0], step=3)
    assert_come_again(answer, "the weights of step 3, which were not published (newest: none)", "and a teacher")


async def test_where_messages_may_be_missed_the_limit_stays(
    served: InProcess, client: httpx.AsyncClient, run: str
) -> None:
    """The single goes on as a task, for what is left of its time."""
    sent = asyncio.create_task(slime(client, run, "q", TEXTS[0]))

    async def placed() -> bool:
        return await ballots(client, run, "q") == 1

    await until(placed)
    served.api._services.room.look_now()
    assert len(tasks_of_requests()) == 1
    assert_come_again(await sent, "the original of 'q' (1 of 4 ballots)")


async def test_the_answers_are_counted(client: httpx.AsyncClient, run: str) -> None:
    assert_come_again(await slime(client, run, "q", TEXTS[0]))
    told = (await client.get("/metrics")).text
    line = re.search(r'co_rewarding_requests_total\{[^}]*remote_rm[^}]*status="503"[^}]*\} (\S+)', told)
    assert line is not None, told
    assert float(line[1]) == 1.0


async def test_a_list_of_rollouts_has_the_limit_of_its_route(client: httpx.AsyncClient, served: InProcess) -> None:
    """Both routes hold no longer than they are told, also where a request goes by a task from the beginning."""
    name = f"run-{uuid4().hex[:8]}"
    await client.put(f"/v1/runs/{name}", json={"method": "majority-voting", "group_size": GROUP})
    waiting = asyncio.create_task(client.post("/get_reward", json=openrlhf(name, TEXTS[:2])))
    assert_come_again(await slime(client, name, "q", TEXTS[2]))
    assert not waiting.done()
    answer = await client.post("/get_reward", json=openrlhf(name, TEXTS[2:]))
    assert (await waiting).json()["rewards"] + answer.json()["rewards"] == REWARDS


async def test_openrlhf_s_requests_are_held_until_they_are_settled_and_slime_s_for_ten_seconds() -> None:
    assert (Settings().get_reward_hold_s, Settings().remote_rm_hold_s) == (0.0, 10.0)


@pytest.mark.parametrize("served", [{"remote_rm_hold_s": 0.0, "get_reward_hold_s": HOLD_S}], indirect=True)
async def test_each_route_has_a_limit_of_its_own(client: httpx.AsyncClient, run: str) -> None:
    waiting = [asyncio.create_task(slime(client, run, "q", text)) for text in TEXTS[:2]]
    assert_come_again(await client.post("/get_reward", json=openrlhf(run, TEXTS[2:3])), "the original of 'q'")
    assert_come_again(await client.post("/get_reward", json=openrlhf(run, TEXTS[2:3] * 2, question_id="p")), "'p'")
    assert not any(each.done() for each in waiting)
    last = await client.post("/get_reward", json=openrlhf(run, TEXTS[2:]))
    assert [(await each).json()["reward"] for each in waiting] + last.json()["rewards"] == REWARDS


def part(run: str) -> dict[str, Any]:
    rollouts = [{"question_id": "q", "rollout": 0, "response": TEXTS[0]}]
    return {"run": run, "step": 1, "complete": False, "wait_s": 1.0, "rollouts": rollouts}


async def accepted(client: httpx.AsyncClient, run: str) -> asyncio.Task[httpx.Response]:
    """A part of a cohort whose ballot is in the store, while its request is held."""
    sent = asyncio.create_task(client.post("/v1/rewards", json=part(run)))

    async def placed() -> bool:
        return await ballots(client, run, "q") == 1

    await until(placed)
    return sent


async def test_a_process_that_stops_gives_a_ticket_and_says_no_more(
    served: InProcess, client: httpx.AsyncClient, run: str
) -> None:
    sent = await accepted(client, run)
    served.api.drain()
    answer = await sent
    progress = answer.json()
    assert answer.status_code == 202
    assert {name: progress[name] for name in progress if name != "ticket"} == {
        "settled": 0,
        "of": 1,
        "waiting_for": [],
        "waiting_for_more": 0,
    }


async def test_an_answer_is_given_though_nobody_can_say_what_is_awaited(
    client: httpx.AsyncClient, run: str, store: EmbeddedValkey
) -> None:
    sent = await accepted(client, run)
    assert store.pid is not None
    os.kill(store.pid, signal.SIGSTOP)
    try:
        answer = await sent
    finally:
        os.kill(store.pid, signal.SIGCONT)
    assert (answer.status_code, answer.json()["waiting_for"]) == (202, [])
    assert (await client.get(f"/v1/rewards/{answer.json()['ticket']}")).json()["waiting_for"][0]["ballots"] == 1
