"""The agent's door against a real service: the same rewards and logs as the plain one, and no vote twice."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest
from co_rewarding_client import NotFound, Unauthorized
from co_rewarding_trainer.openrlhf.errors import TrainingSettingsError
from co_rewarding_trainer.openrlhf.rewarding import RolloutReward, RolloutRewarder
from co_rewarding_trainer.openrlhf.settings import TrainingSettings

from tests.support.service import running

KEY = "a-key"
Result = TypeVar("Result")
Asked = tuple[str, str]  # a response and its label


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(api_keys=[KEY]) as supervisor:
        yield supervisor.url


@pytest.fixture
def run(url: str) -> str:
    name = f"run-{uuid4().hex[:8]}"
    settings = {"method": "co-rewarding-i", "group_size": 2}
    headers = {"authorization": f"Bearer {KEY}"}
    httpx.put(f"{url}/v1/runs/{name}", json=settings, headers=headers, timeout=30.0).raise_for_status()
    return name


class Flaky(httpx.AsyncBaseTransport):
    """Loses every second answer after the service has given it, and every third request before."""

    def __init__(self) -> None:
        self._wire = httpx.AsyncHTTPTransport()
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        number = self.asked
        if number % 3 == 0:
            raise httpx.ConnectError("refused")
        response = await self._wire.handle_async_request(request)
        if number % 2 == 0:
            raise httpx.ReadError("cut")
        return response

    async def aclose(self) -> None:
        await self._wire.aclose()


def through(
    url: str, call: Callable[[RolloutRewarder], Awaitable[Result]], transport: httpx.AsyncBaseTransport | None = None
) -> Result:
    async def asking() -> Result:
        rewarder = RolloutRewarder(TrainingSettings(url=url, api_key=KEY), transport or "aiohttp")
        try:
            return await call(rewarder)
        finally:
            await rewarder.close()

    return asyncio.run(asking())


def group(run: str, question: str, answers: dict[str, list[str | None]], **more: Any) -> list[Asked]:
    return [
        (
            "I do not know." if answer is None else f"So it is \\boxed{{{answer}}}.",
            json.dumps({"question_id": question, "view": view, "n": 2, "run": run, "rollout": index, "step": 0} | more),
        )
        for view, group in answers.items()
        for index, answer in enumerate(group)
    ]


def by_agent(url: str, asked: list[Asked], transport: httpx.AsyncBaseTransport | None = None) -> list[RolloutReward]:
    async def all_of_them(rewarder: RolloutRewarder) -> list[RolloutReward]:
        return await asyncio.gather(*(rewarder.reward("Q: ", response, label) for response, label in asked))

    return through(url, all_of_them, transport)


def by_url(url: str, asked: list[Asked]) -> list[RolloutReward]:
    async def ask(client: httpx.AsyncClient, response: str, label: str) -> RolloutReward:
        body = {"query": [f"Q: {response}"], "prompts": ["Q: "], "labels": [label]}
        answer = (await client.post(f"{url}/get_reward", json=body)).raise_for_status().json()
        assert answer["rewards"] == answer["scores"]
        return RolloutReward(answer["rewards"], answer["extra_logs"])

    async def all_of_them() -> list[RolloutReward]:
        async with httpx.AsyncClient(timeout=30.0, auth=("x", KEY)) as client:
            return await asyncio.gather(*(ask(client, *each) for each in asked))

    return asyncio.run(all_of_them())


GROUPS = {
    "agreed": {"original": ["4", "5"], "paraphrase": ["4", "4"]},
    "split": {"original": ["4", "5"], "paraphrase": ["6", "7"]},
    "one view without a vote": {"original": ["4", "4"], "paraphrase": [None, None]},
    "no vote at all": {"original": [None, None], "paraphrase": [None, None]},
}


@pytest.mark.parametrize("truth", [{}, {"ground_truth": "4"}], ids=["no truth", "a truth"])
@pytest.mark.parametrize("answers", GROUPS.values(), ids=GROUPS)
def test_both_doors_say_the_same(url: str, run: str, answers: dict[str, list[str | None]], truth: dict[str, str]):
    agent = by_agent(url, group(run, "by agent", answers, **truth))
    assert agent == by_url(url, group(run, "by url", answers, **truth))
    assert len({tuple(each.logs) for each in agent}) == 1, "every rollout logs the same names"


def test_an_abstention_is_zero_for_a_whole_group(url: str, run: str):
    found = by_agent(url, group(run, "q", GROUPS["one view without a vote"]))
    assert [(each.reward, each.logs["abstained"]) for each in found] == [(0.0, 1.0)] * 2 + [(0.0, 0.0)] * 2


@pytest.mark.parametrize(("response", "reward"), [("\\boxed{4}", 1.0), ("\\boxed{5}", 0.0), ("4", 0.0)])
def test_a_plain_label_is_a_ground_truth_at_both_doors(url: str, response: str, reward: float):
    (found,) = by_agent(url, [(response, "4")])
    assert found.reward == reward
    assert by_url(url, [(response, "4")]) == [found]


@pytest.mark.parametrize("named", [{}, {"question_id": "q"}], ids=["by prompt", "by question"])
@pytest.mark.parametrize(("response", "reward"), [("\\boxed{4}", 1.0), ("\\boxed{5}", 0.0)])
def test_an_evaluation_is_compared_apart_from_the_run_at_both_doors(
    url: str, run: str, response: str, reward: float, named: dict[str, str]
):
    label = json.dumps({"ground_truth": "4", "run": run, "evaluate": True} | named)
    (found,) = by_agent(url, [(response, label)])
    assert found.reward == reward
    assert by_url(url, [(response, label)]) == [found]
    headers = {"authorization": f"Bearer {KEY}"}
    states = [
        httpx.get(f"{url}/v1/runs/{name}", headers=headers, timeout=30.0).json()["state"]
        for name in (run, f"{run}.evaluation")
    ]
    assert states[0]["settled"] == 0
    assert states[1]["settled"] > 0


def test_what_is_sent_again_votes_once(url: str, run: str):
    asked = group(run, "q", GROUPS["agreed"])
    flaky = Flaky()
    found = by_agent(url, asked, flaky)
    assert flaky.asked > len(asked)
    assert [each.reward for each in found] == [1.0, 0.0, 1.0, 1.0]
    headers = {"authorization": f"Bearer {KEY}"}
    state = httpx.get(f"{url}/v1/runs/{run}", headers=headers, timeout=30.0).json()["state"]
    assert (state["settled"], state["open"]) == (1, 0)
    assert found == by_agent(url, asked), "and is answered alike"


def test_a_higher_attempt_is_another_rollout(url: str, run: str):
    first = by_agent(url, group(run, "q", GROUPS["agreed"], attempt=1))
    again = by_agent(url, group(run, "q", GROUPS["no vote at all"], attempt=2))
    assert [each.logs["abstained"] for each in first] == [0.0] * 4
    assert [each.logs["abstained"] for each in again] == [1.0] * 4


def test_what_cannot_be_rewarded_is_told(url: str, run: str):
    unnumbered = json.dumps({"question_id": "q", "view": "original", "n": 2, "run": run})
    with pytest.raises(TrainingSettingsError, match=r"openrlhf\.driver"):
        by_agent(url, [("x", unnumbered)])
    with pytest.raises(TrainingSettingsError, match="empty label"):
        by_agent(url, [("x", "")])
    with pytest.raises(TrainingSettingsError, match="CO_REWARDING_URL"):
        RolloutRewarder(TrainingSettings())


def test_a_refusal_is_no_reward(url: str):
    async def ask(rewarder: RolloutRewarder) -> RolloutReward:
        return await rewarder.reward("Q", "\\boxed{4}", "4")

    async def asking() -> RolloutReward:
        return await ask(RolloutRewarder(TrainingSettings(url=url, api_key="another")))

    with pytest.raises(Unauthorized):
        asyncio.run(asking())
    with pytest.raises(NotFound):
        through(f"{url}/nowhere", ask)
