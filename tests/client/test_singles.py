"""Rollouts that come one at a time, with the rows of their data set."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from co_rewarding_client import AsyncRewardClient, InvalidRequest
from co_rewarding_client.singles import Singles
from co_rewarding_client.training import AllAbstainedError, Endpoint, paired

pytestmark = pytest.mark.anyio

ROW = {"question_id": "q", "view": "paraphrase", "epoch": 2, "prompt": "What is 2 + 2?", "ground_truth": "4"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True, kw_only=True)
class Recorded(Endpoint):
    """An endpoint whose service gives `reward`, and None where it is None."""

    url: str = "http://service"
    run: str = "math"
    reward: list[float | None] = field(default_factory=lambda: [1.0])
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])

    def async_client(self) -> AsyncRewardClient:
        return AsyncRewardClient(self.url, run=self.run, transport=httpx.MockTransport(self._answered))

    def _answered(self, request: httpx.Request) -> httpx.Response:
        self.requests.append((request.headers["idempotency-key"], json.loads(request.content)))
        reward = self.reward.pop(0) if len(self.reward) > 1 else self.reward[0]
        number = len(self.requests[-1][1]["rollouts"])
        told = {
            "run": self.run,
            "step": None,
            "method": "co-rewarding-i",
            "rewards": [reward] * number,
            "abstentions": [None if reward is not None else "expired"] * number,
            "answers": ["4"] * number,
            "labels": [],
            "metrics": {},
        }
        return httpx.Response(200, json=told)


async def test_a_rollout_is_sent_with_what_its_row_says() -> None:
    endpoint = Recorded()
    single = await Singles(endpoint, attempt=7).reward(ROW, r"so \boxed{4}", rollout=3, key="own")
    assert (single.reward, single.abstention) == (1.0, None)
    ((key, sent),) = endpoint.requests
    assert key != "own"
    assert sent["complete"] is False
    assert (sent["run"], sent["step"], "evaluate" in sent) == ("math", 2, False)
    assert sent["rollouts"] == [
        {
            "question_id": "q",
            "view": "paraphrase",
            "rollout": 3,
            "attempt": 7,
            "voter": "policy",
            "prompt": "What is 2 + 2?",
            "response": r"so \boxed{4}",
            "ground_truth": "4",
        }
    ]


async def test_a_rollout_without_a_number_is_known_by_its_key() -> None:
    endpoint = Recorded()
    await Singles(endpoint).reward(ROW, "", key="own")
    ((key, sent),) = endpoint.requests
    assert key == "own"
    assert "rollout" not in sent["rollouts"][0]


async def test_a_step_goes_before_an_epoch() -> None:
    endpoint = Recorded()
    await Singles(endpoint).reward(ROW | {"step": 40}, "", rollout=0)
    assert endpoint.requests[0][1]["step"] == 40


@pytest.mark.parametrize(
    ("missing", "said"), [("question_id", "no question_id"), ("view", "no view"), ("epoch", "neither step nor epoch")]
)
async def test_a_row_that_names_no_cohort_is_refused(missing: str, said: str) -> None:
    endpoint = Recorded()
    row = {name: value for name, value in ROW.items() if name != missing}
    with pytest.raises(InvalidRequest, match=said):
        await Singles(endpoint).reward(row, "", rollout=0)
    assert endpoint.requests == []


async def test_rows_of_pairs_name_their_cohorts() -> None:
    questions = [{"question_id": "q", "question": "2 + 2?", "paraphrase": "Two and two?"}]
    endpoint = Recorded()
    singles = Singles(endpoint)
    for row in paired(questions, epochs=2):
        await singles.reward(row, "", rollout=0)
    sent = [(body["step"], body["rollouts"][0]["view"], body["rollouts"][0]["prompt"]) for _, body in endpoint.requests]
    assert sent == [
        (epoch, view, text)
        for epoch in (0, 1)
        for view, text in (("original", "2 + 2?"), ("paraphrase", "Two and two?"))
    ]


async def test_evaluation_needs_no_epoch_and_may_abstain() -> None:
    endpoint = Recorded(reward=[None])
    singles = Singles(endpoint, most_abstained=1)
    row = {name: value for name, value in ROW.items() if name != "epoch"}
    assert (await singles.reward(row, "", rollout=0, evaluate=True)).reward is None
    assert endpoint.requests[0][1]["evaluate"] is True


async def test_rollouts_that_abstain_one_after_another_end_the_training() -> None:
    endpoint = Recorded(reward=[None, None, 0.0, None, None, None])
    singles = Singles(endpoint, most_abstained=3)
    given = [(await singles.reward(ROW, "", rollout=0)).reward for _ in range(5)]
    assert given == [None, None, 0.0, None, None]
    with pytest.raises(AllAbstainedError, match=r"all 3 rollouts of step 2 abstained in run 'math' \(3 by expired\)"):
        await singles.reward(ROW, "", rollout=0)


async def test_the_rollouts_of_a_group_are_asked_for_together_and_groups_apart() -> None:
    endpoint = Recorded()
    singles = Singles(endpoint)
    rows = [ROW | {"view": view} for view in ("original", "paraphrase")]
    calls = [singles.reward(row, "", rollout=index) for index in range(3) for row in rows]
    assert [single.reward for single in await asyncio.gather(*calls)] == [1.0] * 6
    groups = [[(one["view"], one["rollout"]) for one in body["rollouts"]] for _, body in endpoint.requests]
    assert groups == [[(view, index) for index in range(3)] for view in ("original", "paraphrase")]


async def test_equal_texts_without_numbers_are_two_rollouts() -> None:
    endpoint = Recorded()
    singles = Singles(endpoint)
    await asyncio.gather(*(singles.reward(ROW, "the same", key=key) for key in ("one", "other")))
    assert sorted(key for key, _ in endpoint.requests) == ["one", "other"]
