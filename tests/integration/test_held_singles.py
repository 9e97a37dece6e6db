"""Singles without an index, held without tasks: they go on as tasks where something is out of the ordinary."""

import asyncio
import contextlib
import json
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from co_rewarding_schema.rollouts import Rollout
from co_rewarding_schema.run_settings import RunSettings

from reward_service.api.rewards import held_requests, held_singles
from reward_service.api.rewards.cohort_builder import Answers, row_of
from reward_service.settings import Settings
from reward_service.store.embedded import EmbeddedValkey
from reward_service.store.records import BallotRow
from tests.support.in_process import HOST, InProcess, service
from tests.support.waiting import until

GROUP = 4


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def served() -> AsyncIterator[InProcess]:
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        server = EmbeddedValkey(Path(folder))
        server.start()
        try:
            settings = Settings(data_dir=Path(folder), redis_url=server.url, log_level="ERROR")
            async with service(settings) as served:
                yield served
        finally:
            server.stop()


@pytest.fixture
async def client(served: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{served.port}", timeout=30.0, limits=limits) as client:
        yield client


@pytest.fixture
async def run(client: httpx.AsyncClient) -> str:
    name = f"run-{uuid4().hex[:8]}"
    await client.put(f"/v1/runs/{name}", json={"method": "majority-voting", "group_size": GROUP})
    await single(client, name, "warm", "\\boxed{1}", n=1)  # its settings are at hand from here on
    return name


async def single(
    client: httpx.AsyncClient, run: str, question: str, text: str, n: int = GROUP, view: str = "original"
) -> dict[str, Any]:
    label = json.dumps({"question_id": question, "run": run, "n": n, "view": view})
    answer = await client.post("/get_reward", json={"query": ["Q" + text], "prompts": ["Q"], "labels": [label]})
    return answer.json() | {"status": answer.status_code}


def written(run: str, question: str, text: str, n: int = GROUP) -> bytes:
    """The same request as it is written to a connection."""
    label = json.dumps({"question_id": question, "run": run, "n": n})
    body = json.dumps({"query": ["Q" + text], "prompts": ["Q"], "labels": [label]}).encode()
    return b"POST /get_reward HTTP/1.1\r\nhost: t\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def tasks_of_requests() -> list[str]:
    """What answers requests in this process, by a task each."""
    names = (task.get_coro().__qualname__ for task in asyncio.all_tasks())  # type: ignore[union-attr]
    return [name for name in names if name.startswith("HotExchange")]


async def ballots(client: httpx.AsyncClient, run: str, question: str) -> int:
    """How many ballots the open cohort of a question has."""
    found = (await client.get("/v1/cohorts", params={"run": run, "question_id": question})).json()
    cohorts = [(await client.get(f"/v1/cohorts/{each['cohort']}")).json() for each in found["cohorts"]]
    return sum(len(each["ballots"]) for each in cohorts)


async def held(
    client: httpx.AsyncClient, run: str, question: str, texts: Sequence[str]
) -> list[asyncio.Task[dict[str, Any]]]:
    """Requests under way, each of which has its place."""
    sent = [asyncio.create_task(single(client, run, question, text)) for text in texts]

    async def placed() -> bool:
        return await ballots(client, run, question) == len(texts)

    await until(placed)
    return sent


TEXTS = [f"\\boxed{{{answer}}}" + " " * place for place, answer in enumerate((4, 4, 4, 5))]
REWARDS = [1.0, 1.0, 1.0, 0.0]


@pytest.mark.anyio
async def test_those_who_are_held_have_no_tasks(client: httpx.AsyncClient, run: str) -> None:
    sent = await held(client, run, "q", TEXTS[:-1])
    assert tasks_of_requests() == []
    last = await single(client, run, "q", TEXTS[-1])
    assert [(await each)["rewards"] for each in sent] + [last["rewards"]] == REWARDS


@pytest.mark.anyio
@pytest.mark.parametrize("change", [False, True], ids=["as they were", "changed"])
async def test_where_messages_may_be_missed_the_store_is_asked_whatever_the_settings_are_now(
    served: InProcess, client: httpx.AsyncClient, run: str, change: bool
) -> None:
    sent = await held(client, run, "q", TEXTS[:-1])
    if change:
        await client.put(f"/v1/runs/{run}", json={"method": "majority-voting", "group_size": 9})
    served.api._services.room.look_now()
    assert len(tasks_of_requests()) == len(sent)
    last = await single(client, run, "q", TEXTS[-1])
    assert [(await each)["rewards"] for each in sent] + [last["rewards"]] == REWARDS


@pytest.mark.anyio
async def test_settings_that_have_changed_are_read_again(client: httpx.AsyncClient, run: str) -> None:
    await client.put(f"/v1/runs/{run}", json={"method": "majority-voting", "group_size": 2})
    answers = await asyncio.gather(*(single(client, run, "q", text, n=2) for text in TEXTS[2:]))
    assert [answer["status"] for answer in answers] == [200, 200]


@pytest.mark.anyio
async def test_a_method_that_has_changed_decides(client: httpx.AsyncClient, run: str) -> None:
    await client.put(f"/v1/runs/{run}", json={"method": "co-rewarding-i", "group_size": 2})
    answers = await asyncio.gather(
        *(single(client, run, "q", text, 2, "original") for text in ("\\boxed{4}", "\\boxed{4} ")),
        *(single(client, run, "q", text, 2, "paraphrase") for text in ("\\boxed{5}", "\\boxed{5} ")),
    )
    assert [answer["rewards"] for answer in answers] == [0.0] * 4
    assert len({answer["cohort"] for answer in answers}) == 1


@pytest.mark.anyio
async def test_a_method_that_has_changed_may_need_no_other_rollout(client: httpx.AsyncClient, run: str) -> None:
    await client.put(f"/v1/runs/{run}", json={"method": "ground-truth", "group_size": GROUP})
    answer = await single(client, run, "q", "\\boxed{4}")
    assert answer["extra_logs"]["abstained"] == 1.0


@pytest.mark.anyio
async def test_a_fault_is_answered_and_ends_nobody_else(
    served: InProcess, client: httpx.AsyncClient, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(rollout: Rollout, settings: RunSettings, found: Answers) -> BallotRow:
        if "fault" in rollout.response:
            raise ZeroDivisionError
        return row_of(rollout, settings, found)

    for module in (held_singles, held_requests):
        monkeypatch.setattr(module, "row_of", broken)
    reader, writer = await asyncio.open_connection(HOST, served.port)
    writer.write(written(run, "q", TEXTS[0], n=2) + written(run, "q", "fault", n=2))  # its turn comes with an answer

    async def placed() -> bool:
        return await ballots(client, run, "q") == 1

    await until(placed)
    assert (await single(client, run, "q", TEXTS[1], n=2))["status"] == 200
    answered = b""
    with contextlib.closing(writer):
        async with asyncio.timeout(10):
            while answered.count(b"HTTP/1.1 ") < 2 and (came := await reader.read(4096)):
                answered += came
    assert re.findall(rb"HTTP/1.1 (\d+)", answered) == [b"200", b"500"]
    assert served.api.background.failure is None


@pytest.mark.anyio
async def test_whoever_leaves_at_any_moment_votes_once(served: InProcess, client: httpx.AsyncClient, run: str) -> None:
    for _ in range(20):
        for text in TEXTS[:-1]:
            _, writer = await asyncio.open_connection(HOST, served.port)
            writer.write(written(run, "q", text))
            await writer.drain()
            writer.close()
    answers = await asyncio.gather(*(single(client, run, "q", text) for text in TEXTS))
    assert [answer["rewards"] for answer in answers] == REWARDS
    assert {answer["extra_logs"]["vote_share"] for answer in answers} == {0.75}


@pytest.mark.anyio
async def test_those_who_are_held_are_told_to_come_again_by_a_process_that_stops(
    served: InProcess, client: httpx.AsyncClient, run: str
) -> None:
    sent = await held(client, run, "q", TEXTS[:-1])
    served.api.drain()
    assert {(await each)["status"] for each in sent} == {503}
