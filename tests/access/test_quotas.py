"""Quotas over HTTP, with two API processes: who is over one is refused, and told which; others go on."""

import contextlib
import json
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from co_rewarding_client import RewardClient, Rollout
from co_rewarding_client.errors import ServiceUnavailable
from prometheus_client.parser import text_string_to_metric_families

from tests.access.keys_files import bearer, entry, key_of, written
from tests.support.service import assert_problem, pair, running
from tests.support.waiting import wait_until

BURST = 10
PROCESSES = 2
RUNS = """
[[runs]]
prefix = "narrow."
quotas = {open_cohorts = 3}

[[runs]]
prefix = "slow."
quotas = {rollouts_per_s = 0.001, rollouts_burst = 4}
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    keys = written(
        tmp_path_factory.mktemp("keys") / "keys.toml",
        entry("slow", ["score"], rollouts_per_s=0.001, rollouts_burst=BURST),
        entry("thin", ["score", "read"], bytes_per_s=1, bytes_burst=4000),
        entry("few", ["score", "read"], held_requests=2, rollouts_per_s=0.001, rollouts_burst=20),
        entry("quick", ["score"], rollouts_per_s=2, rollouts_burst=2),
        entry("big", ["score"], rollouts_per_s=0.001, rollouts_burst=4),
        entry("weighed", ["score"], bytes_per_s=1, bytes_burst=4000),
        entry("scored", ["score"], rollouts_per_s=0.001, rollouts_burst=4),
        entry("vain", ["score"], bytes_per_s=2**28, bytes_burst=1),
        entry("one", ["score"]),
        entry("two", ["score"]),
        entry("watcher", ["read"]),
        RUNS,
    )
    with running(api_keys_file=keys, api_processes=PROCESSES) as supervisor:
        yield supervisor.url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30.0) as client:
        yield client


def made(client: httpx.Client, run: str, name: str = "one") -> str:
    settings = {"method": "majority-voting", "group_size": 2}
    client.put(f"/v1/runs/{run}", json=settings, headers=bearer(name)).raise_for_status()
    return run


def batch(client: httpx.Client, name: str, rollouts: int = 4, run: str = "default", **more: Any) -> httpx.Response:
    answers: list[str | None] = ["1"] * (rollouts // 2)
    sent = {"run": run, "wait_s": 20, "rollouts": pair("q", answers, answers), **more}
    return client.post("/v1/rewards", json=sent, headers=bearer(name))


def refusals(client: httpx.Client) -> Counter[tuple[str, str]]:
    """How many requests were refused so far, by the key that asked and the quota."""
    text = client.get("/metrics", headers=bearer("watcher")).raise_for_status().text
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    counted = [each for each in samples if each.name == "co_rewarding_quota_refusals_total"]
    return Counter({(each.labels["key"], each.labels["quota"]): round(each.value) for each in counted})


def refusal(response: httpx.Response, quota: str, of: str) -> dict[str, Any]:
    """The quota of a refusal, which is also in the words of the detail."""
    assert_problem(response, 429, quota, of, "Retry-After")
    document = response.json()
    assert document["type"].endswith(":over-quota")
    assert document["quota"]["name"] == quota
    assert document["quota"]["of"] == of
    assert int(response.headers["retry-after"]) >= document["retry_after_s"] > 0
    return document["quota"]


def until_refused(url: str, name: str, most: int) -> tuple[int, httpx.Response]:
    """How many batches of one rollout were let in, over connections of their own: they reach every process."""
    for number in range(most):
        with httpx.Client(base_url=url, timeout=30.0) as client:
            one = {
                "rollouts": [{"question_id": "q", "response": "\\boxed{1}"}],
                "wait_s": 20,
                "method": "majority-voting",
            }
            answer = client.post("/v1/rewards", json=one, headers=bearer(name))
        if answer.status_code != 200:
            return number, answer
    raise AssertionError(f"{most} were let in")


def test_a_rate_of_rollouts_holds_for_all_processes_together(url: str, client: httpx.Client) -> None:
    let_in, refused = until_refused(url, "slow", PROCESSES * BURST + 1)
    assert BURST <= let_in <= PROCESSES * BURST
    quota = refusal(refused, "rollouts_per_s", "key 'slow'")
    assert (quota["limit"], quota["burst"]) == (0.001, BURST)
    assert quota["used"] == pytest.approx(BURST, abs=1.0) or quota["used"] > BURST

    def all_refuse() -> bool:
        return until_refused(url, "slow", BURST)[0] == 0

    for _ in range(3 * PROCESSES):  # whichever process takes the connection
        wait_until(all_refuse)
    # By its head: the body is not looked at.
    rubbish = client.post("/v1/rewards", content=b"no JSON", headers=bearer("slow"))
    refusal(rubbish, "rollouts_per_s", "key 'slow'")
    assert batch(client, "one").status_code == 200


def test_bytes_are_those_of_bodies_also_in_chunks(url: str, client: httpx.Client) -> None:
    text = {"rollouts": [{"question_id": "q", "response": "a" * 3000}], "method": "majority-voting"}
    body = json.dumps(text).encode()
    assert client.post("/v1/rewards", content=iter([body]), headers=bearer("thin")).status_code == 200
    wait_until(lambda: client.post("/v1/rewards", content=body, headers=bearer("thin")).status_code == 429)
    refusal(client.post("/v1/rewards", content=body, headers=bearer("thin")), "bytes_per_s", "key 'thin'")

    def chunks_are_refused(path: str) -> bool:
        return client.post(path, content=iter([body]), headers=bearer("thin")).status_code == 429

    for path in ("/v1/rewards", "/v1/paraphrases"):  # one hot, one of FastAPI
        wait_until(lambda path=path: chunks_are_refused(path))
        refusal(client.post(path, content=iter([body]), headers=bearer("thin")), "bytes_per_s", "key 'thin'")
    assert client.get("/v1/runs", headers=bearer("thin")).status_code == 200, "a request without a body takes none"


def test_a_key_does_not_pay_for_a_body_that_no_request_may_have(url: str, client: httpx.Client) -> None:
    at = urlsplit(url)
    head = ["PUT /v1/runs/x HTTP/1.1", "host: x", f"authorization: Bearer {key_of('vain')}", f"content-length: {2**63}"]
    with socket.create_connection((at.hostname, at.port), timeout=30.0) as raw:  # type: ignore[arg-type]
        raw.sendall("\r\n".join([*head, "", ""]).encode())
        assert b" 413 " in raw.recv(100)

    def made_again() -> bool:
        settings = {"method": "majority-voting"}
        return client.put("/v1/runs/x", json=settings, headers=bearer("vain")).status_code == 200

    wait_until(made_again)


@contextlib.contextmanager
def held(url: str, name: str, question: str) -> Iterator[socket.socket]:
    """A rollout of a group that nobody completes."""
    label = json.dumps({"question_id": question, "n": 2})
    body = json.dumps({"query": ["p \\boxed{1}"], "prompts": ["p"], "labels": [label]}).encode()
    head = (
        f"POST /get_reward HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key_of(name)}\r\ncontent-length: {len(body)}"
    )
    at = urlsplit(url)
    with socket.create_connection((at.hostname, at.port), timeout=30.0) as raw:  # type: ignore[arg-type]
        raw.sendall(head.encode() + b"\r\n\r\n" + body)
        yield raw


def test_only_so_many_requests_are_held_over_all_processes(url: str, client: httpx.Client) -> None:
    def status() -> int:
        return httpx.get(f"{url}/v1/runs", headers=bearer("few")).status_code

    with held(url, "few", "h1"), held(url, "few", "h2"):
        for _ in range(2 * PROCESSES):
            wait_until(lambda: status() == 429)
        # New connections may all have come to one process: the client's own has to know too.
        wait_until(lambda: client.get("/v1/runs", headers=bearer("few")).status_code == 429)
        refused = client.get("/v1/runs", headers=bearer("few"))
        assert refusal(refused, "held_requests", "key 'few'")["limit"] == 2
        assert client.get("/v1/runs/default", headers=bearer("one")).status_code == 200
        for _ in range(40):
            refusal(batch(client, "few", 2), "held_requests", "key 'few'")  # which costs no rollout
    for _ in range(2 * PROCESSES):
        wait_until(lambda: status() == 200)


def test_a_run_has_only_so_many_open_cohorts(client: httpx.Client) -> None:
    run = made(client, "narrow.x")

    def opened(question: str) -> httpx.Response:
        one = {"question_id": question, "rollout": 0, "response": "\\boxed{1}"}
        return client.post(
            "/v1/rollouts", json={"run": run, "complete": False, "rollouts": [one]}, headers=bearer("one")
        )

    assert [opened(f"o{number}").status_code for number in range(3)] == [202] * 3
    assert refusal(opened("o3"), "open_cohorts", f"run {run!r}")["limit"] == 3
    assert opened("o2").status_code == 202, "what belongs to an open one comes in"


def test_a_rate_of_a_run_holds_for_all_of_its_keys(client: httpx.Client) -> None:
    run = made(client, "slow.x")
    assert batch(client, "one", 4, run).status_code == 200
    refusal(batch(client, "one", 4, run), "rollouts_per_s", f"run {run!r}")
    truth = [{"question_id": "e", "response": "\\boxed{1}", "ground_truth": "1"}]
    evaluated = {"run": run, "evaluate": True, "rollouts": truth}
    refusal(client.post("/v1/rewards", json=evaluated, headers=bearer("one")), "rollouts_per_s", f"run {run!r}")
    label = json.dumps({"question_id": "s", "run": run})
    single = {"query": ["p \\boxed{1}"], "prompts": ["p"], "labels": [label]}
    refusal(client.post("/get_reward", json=single, headers=bearer("one")), "rollouts_per_s", f"run {run!r}")
    wait_until(lambda: httpx_status(client, run) == 429)
    assert batch(client, "two", 4).status_code == 200


def httpx_status(client: httpx.Client, run: str) -> int:
    return batch(client, "two", 4, run).status_code


def test_refusals_are_counted_by_the_key_that_asked_and_the_quota(client: httpx.Client) -> None:
    """Of a key's quota by the head of a request at a hot and another route, and by its body; of a run's."""
    run = made(client, "narrow.counted")
    before = refusals(client)
    for question in ("c0", "c1", "c2", "c3", "c4"):
        one = {"question_id": question, "rollout": 0, "response": "\\boxed{1}"}
        body = {"run": run, "complete": False, "rollouts": [one]}
        client.post("/v1/rollouts", json=body, headers=bearer("two"))
    wait_until(lambda: client.post("/v1/rewards", content=b"x" * 9000, headers=bearer("weighed")).status_code == 429)
    assert client.post("/v1/paraphrases", content=b"x" * 9000, headers=bearer("weighed")).status_code == 429
    assert batch(client, "scored", 4).status_code == 200
    wait_until(lambda: batch(client, "scored", 2).status_code == 429)

    def since() -> Counter[tuple[str, str]]:
        return refusals(client) - before

    wait_until(lambda: since()["weighed", "bytes_per_s"] >= 2 and since()["scored", "rollouts_per_s"] >= 1)
    wait_until(lambda: since()["two", "open_cohorts"] == 2)


def test_a_request_that_is_larger_than_the_burst_is_let_in_and_paid_for_later(client: httpx.Client) -> None:
    run = made(client, "slow.y")
    assert batch(client, "big", 40).status_code == 200
    wait_until(lambda: batch(client, "big", 2).status_code == 429)
    assert batch(client, "one", 40, run).status_code == 200
    assert refusal(batch(client, "one", 2, run), "rollouts_per_s", f"run {run!r}")["used"] == pytest.approx(40, abs=0.5)


def test_the_client_waits_and_its_error_names_the_quota(url: str) -> None:
    rollouts = [Rollout(**each) for each in pair("q", ["1"], ["1"])]
    with RewardClient(url, api_key=key_of("quick"), patience_s=20.0) as patient:
        for _ in range(3):  # the second and the third find the bucket empty
            assert patient.rewards(rollouts).rewards
    with RewardClient(url, api_key=key_of("slow"), patience_s=0.5) as hasty:
        with pytest.raises(ServiceUnavailable, match=r"rollouts_per_s.*key 'slow'|key 'slow'.*rollouts_per_s") as error:
            hasty.rewards(rollouts * BURST)
        assert error.value.__cause__.problem["quota"]["name"] == "rollouts_per_s"  # type: ignore[union-attr]
