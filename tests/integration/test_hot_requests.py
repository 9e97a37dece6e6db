"""The hot routes answer what HTTP allows, as other routes do: pieces, pipelines, no body, other methods, no client."""

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from reward_service.serving.supervisor import Supervisor
from tests.support.service import pair, rollout, running
from tests.support.waiting import wait_until

MOST_BODY_BYTES = 100_000
REWARDS = json.dumps({"rollouts": pair("q", ["4", "5"], ["4", "4"])}).encode()
KEY = {"authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def service() -> Iterator[Supervisor]:
    with running(api_keys=["secret"], max_body_bytes=MOST_BODY_BYTES) as supervisor:
        yield supervisor


def request(
    body: bytes, *more: bytes, path: bytes = b"/v1/rewards", method: bytes = b"POST", key: bytes = b"secret"
) -> bytes:
    """A request as it is sent."""
    lines = [method + b" " + path + b" HTTP/1.1", b"host: x", b"authorization: Bearer " + key, *more]
    if not any(line.startswith(b"transfer-encoding") for line in more):
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


LAST = request(b"", b"connection: close", path=b"/health", method=b"GET")


def connected(service: Supervisor) -> socket.socket:
    url = urlsplit(service.url)
    return socket.create_connection((url.hostname, url.port), timeout=30.0)


def answers(service: Supervisor, *pieces: bytes) -> list[tuple[int, bytes]]:
    """The statuses and bodies that come for these pieces, sent one after the other, until the connection is closed."""
    received = b""
    with connected(service) as raw, contextlib.suppress(ConnectionError):
        for piece in pieces:
            raw.sendall(piece)
        while block := raw.recv(2**16):
            received += block
    heads = list(re.finditer(rb"HTTP/1\.1 (\d+) .*?\r\n\r\n", received, re.DOTALL))
    ends = [each.start() for each in heads[1:]] + [len(received)]
    return [(int(head[1]), received[head.end() : end]) for head, end in zip(heads, ends, strict=True)]


def rewards_of(body: bytes) -> list[float]:
    return json.loads(body)["rewards"]


def test_a_body_may_come_in_any_pieces(service: Supervisor) -> None:
    whole = request(REWARDS) + LAST
    for size in (1, 7, 1000):
        first, last = answers(service, *(whole[at : at + size] for at in range(0, len(whole), size)))
        assert first[0] == last[0] == 200
        assert rewards_of(first[1]) == [1.0, 0.0, 1.0, 1.0]


def test_a_body_may_come_in_chunks(service: Supervisor) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (REWARDS[:9], REWARDS[9:])) + b"0\r\n\r\n"
    first, _ = answers(service, request(chunks, b"transfer-encoding: chunked") + LAST)
    assert first[0] == 200
    assert rewards_of(first[1]) == [1.0, 0.0, 1.0, 1.0]


def test_hot_requests_and_others_in_one_go_are_answered_in_order(service: Supervisor) -> None:
    version = request(b"", path=b"/version", method=b"GET")
    found = answers(service, (request(REWARDS) + version + request(b"{}") + version) * 5 + request(REWARDS) + LAST)
    assert [status for status, _ in found] == [200, 200, 422, 200] * 5 + [200, 200]
    assert all(b'"version"' in body for _, body in found[1:20:2])
    assert rewards_of(found[20][1]) == [1.0, 0.0, 1.0, 1.0]


def test_large_requests_in_one_go_are_answered_in_order(service: Supervisor) -> None:
    large = json.dumps({"rollouts": pair("q", ["4"], ["4"]), "run": "default"}).encode()
    large += b" " * (MOST_BODY_BYTES - len(large))
    found = answers(service, request(large) * 30 + LAST)
    assert [status for status, _ in found] == [200] * 31


@pytest.mark.parametrize(
    "sent", [request(REWARDS), request(b"", path=b"/version", method=b"GET")], ids=["hot", "other"]
)
def test_too_many_in_one_go_are_answered_as_far_as_they_were_taken(service: Supervisor, sent: bytes) -> None:
    statuses = [status for status, _ in answers(service, sent * 70)]
    assert statuses[-1] == 429
    assert set(statuses[:-1]) == {200}
    assert len(statuses) > 60


def test_what_is_no_http_behind_a_request_does_not_cost_its_answer(service: Supervisor) -> None:
    assert [status for status, _ in answers(service, request(REWARDS) + b"no HTTP\r\n\r\n" * 3)] == [200, 400]


def test_a_body_that_waits_to_be_asked_for_is_asked_for(service: Supervisor) -> None:
    head = request(b"", b"expect: 100-continue", b"content-length: %d" % len(REWARDS)).replace(
        b"content-length: 0\r\n", b""
    )
    with connected(service) as raw:
        raw.sendall(head)
        assert raw.recv(2**16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(REWARDS)
        assert raw.recv(2**16).startswith(b"HTTP/1.1 200")


REFUSED: dict[str, tuple[bytes, int]] = {
    "a wrong key": (request(REWARDS, key=b"wrong"), 403),
    "another method": (request(REWARDS, method=b"PUT"), 405),
    "no body where one is due": (request(b""), 400),
    "a compressed body": (request(REWARDS, b"content-encoding: gzip"), 415),
    "a body for a ticket": (request(REWARDS, path=b"/v1/rewards/none", method=b"GET"), 404),
    "a path that is escaped": (request(b"{}", path=b"/%76%31/rewards"), 422),
    "a whole URL": (request(b"{}", path=b"http://x/v1/rewards?x=1"), 422),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_connection_lives_on_after_a_refusal(service: Supervisor, name: str) -> None:
    sent, status = REFUSED[name]
    found = answers(service, sent + request(REWARDS) + LAST)
    assert [each for each, _ in found] == [status, 200, 200]


@pytest.mark.parametrize(
    "sent",
    [
        request(b"", b"content-length: 100001").replace(b"content-length: 0\r\n", b""),
        request(b"186a1\r\n" + b" " * 100_001, b"transfer-encoding: chunked"),
    ],
    ids=["announced", "in chunks"],
)
def test_too_large_a_body_is_refused_and_the_connection_closed(service: Supervisor, sent: bytes) -> None:
    ((status, body),) = answers(service, sent)
    assert status == 413
    assert b"100000 bytes" in body


def test_a_head_alone_has_no_body(service: Supervisor) -> None:
    found = answers(service, request(b"", method=b"HEAD") + LAST)
    assert [status for status, _ in found] == [405, 200]
    assert found[0][1] == b""


def test_an_old_client_is_answered_and_closed(service: Supervisor) -> None:
    old = request(REWARDS).replace(b"HTTP/1.1", b"HTTP/1.0")
    ((status, body),) = answers(service, old)
    assert status == 200
    assert rewards_of(body) == [1.0, 0.0, 1.0, 1.0]


def taken(service: Supervisor) -> float:
    """Rollouts that came by /v1/remote_rm."""
    text = httpx.get(f"{service.url}/metrics", headers=KEY).text
    found = re.search(r'^co_rewarding_rollouts_total{route="/v1/remote_rm"} (\S+)$', text, re.MULTILINE)
    return 0.0 if found is None else float(found[1])


@pytest.mark.parametrize("behind", [b"", request(REWARDS), b"POST /v1/rew"], ids=["nothing", "a request", "half"])
def test_the_place_of_a_client_that_leaves_is_free(service: Supervisor, behind: bytes) -> None:
    """One that comes again with the same text takes its place, whatever else was on its way on the connection."""
    name = f"held beside {len(behind)}"
    label = {"question_id": name, "n": 8, "run": "default"}  # in a whole group every place would be free
    body = json.dumps({"response": "\\boxed{4}", "label": json.dumps(label)}).encode()
    for _ in range(4):
        before = taken(service)
        with connected(service) as raw:
            raw.sendall(request(body, path=b"/v1/remote_rm") + behind)
            wait_until(lambda before=before: taken(service) > before)
        for _ in range(3):  # the store is told of the end a few turns of the loop after the connection's
            assert httpx.get(f"{service.url}/ready").status_code == 200
    assert len(ballots(service, name)) == 1


def ballots(service: Supervisor, question_id: str) -> list[dict[str, object]]:
    asked = {"run": "default", "question_id": question_id}
    with httpx.Client(base_url=service.url, headers=KEY) as client:
        (found,) = client.get("/v1/cohorts", params=asked).json()["cohorts"]
        return client.get(f"/v1/cohorts/{found['cohort']}").json()["ballots"]


def test_a_client_that_leaves_while_its_body_comes_leaves_nothing(service: Supervisor) -> None:
    with connected(service) as raw:
        raw.sendall(request(REWARDS)[:-5])
    found = answers(service, request(REWARDS) + LAST)
    assert [status for status, _ in found] == [200, 200]


def test_parts_of_a_step_come_over_one_connection(service: Supervisor) -> None:
    halves = [
        {"run": "default", "step": 7, "complete": False, "wait_s": 0, "rollouts": [rollout("p", view, 0, "4")]}
        for view in ("original", "paraphrase")
    ]
    found = answers(service, b"".join(request(json.dumps(each).encode()) for each in halves) + LAST)
    assert [status for status, _ in found] == [202, 202, 200]
