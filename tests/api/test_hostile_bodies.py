"""Bodies that were made to hurt: nobody else waits for them, and they take no more memory than they are large."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from reward_service.serving.supervisor import Supervisor
from tests.support.service import assert_problem, running

BODY_BYTES = 16 * 2**20
MOST_STALL_S = 1.5
"""A loop that is held at all is held for far longer; other tests on the machine hold everybody up as well."""

MOST_GROWTH_BYTES = 3 * BODY_BYTES


TEXT = b'{"question_id":"q","response":"' + b"x " * 400_000 + b'"},'
QUESTION = b'{"question_id":"q","question":"' + b"How many are there? " * 14 + b'"},'
MESSAGES = (b'{"role":"user","content":"' + b"How many are there? " * 11 + b'"},') * 8
CHAT = b'{"question_id":"q","messages":[' + MESSAGES[:-1] + b"]},"
TURNS = b'{"questions":[{"question_id":"q","messages":['
FORMATS = b'{"method":"co-rewarding-i","answer_formats":['

HOSTILE: dict[str, tuple[str, bytes, bytes, bytes, int]] = {
    "numbers": ("/v1/rewards", b'{"rollouts":[', b"1,", b"]}", 422),
    "empty objects": ("/v1/rewards", b'{"rollouts":[', b"{},", b"]}", 422),
    "tiny rollouts": ("/v1/rewards", b'{"rollouts":[', b'{"response":""},', b"]}", 413),
    "unknown keys": ("/v1/rewards", b"{", b'"a":1,', b"}", 422),
    "one key again and again": ("/v1/rewards", b"{", b'"run":"x",', b"}", 422),
    "lists in a text's place": ("/v1/rewards", b'{"rollouts":[{"response":[', b"[],", b"]}]}", 422),
    "spaces": ("/v1/rewards", b"", b" ", b"", 400),
    "digits": ("/v1/rewards", b'{"step":', b"1", b"}", 422),
    "depth": ("/v1/rewards", b'{"rollouts":', b"[", b"", 422),
    "one text": ("/v1/rewards", b'{"run":"', b"x", b'"}', 413),
    "escapes": ("/v1/rewards", b'{"run":"', b'\\"', b'"}', 413),
    "a long key": ("/v1/rewards", b'{"', b"x", b'":1}', 422),
    "a byte at the end": ("/v1/rewards", b'{"rollouts":[', TEXT, b',{"response":"\xff"}]}', 400),
    "queries that are numbers": ("/get_reward", b'{"query":[', b"1,", b"]}", 422),
    "queries": ("/get_reward", b'{"query":[', b'"ab",', b"]}", 413),
    "labels that are numbers": ("/get_reward", b'{"query":"x","labels":["a",', b"1,", b"]}", 413),
    "a label of half characters": ("/get_reward", b'{"query":"x","labels":"{', b"\\ud800", b'"}', 413),
    "a prompt of lists": ("/v1/remote_rm", b'{"response":"x","label":"4","prompt":[', b"[],", b"]}", 413),
    "a prompt of tokens": ("/get_reward", b'{"query":"x","labels":"4","prompts":"', b"<s>", b'"}', 413),
    "a label": ("/v1/remote_rm", b'{"response":"x","label":[', b"[],", b"]}", 422),
    "questions": ("/v1/teacher/prefetch", b'{"questions":[', b"1,", b"]}", 422),
    "turns": ("/v1/teacher/prefetch", TURNS, b'{"role":"a","content":""},', b"]}]}", 422),
    "questions of a job": ("/v1/paraphrases/jobs", b'{"questions":[', b"1,", b"]}", 422),
    "a job that is wrong at its end": ("/v1/paraphrases/jobs", b'{"questions":[', QUESTION, b',{"question":1}]}', 422),
    "a job of one question": ("/v1/paraphrases/jobs", b'{"questions":[', QUESTION, b"]}", 422),
    "turns that are wrong at their end": ("/v1/teacher/prefetch", b'{"questions":[', CHAT, b",1]}", 422),
    "questions now": ("/v1/paraphrases", b'{"questions":[', b"{},", b"]}", 422),
    "formats": ("/v1/runs/r", FORMATS, b'"boxed",', b"]}", 413),
    "files": ("/v1/teacher/uploads", b'{"step":1,"files":[', b"[],", b"]}", 422),
    "weights": ("/v1/teacher/updates", b'{"path":[', b'"",', b"]}", 422),
}
"""Where each goes, how it begins, what it repeats, how it ends, and what it is answered with."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    with running(weights_root=tmp_path_factory.mktemp("weights"), max_body_bytes=BODY_BYTES + 2**20) as supervisor:
        yield supervisor


class Watch:
    """From entering to leaving it: how long others wait for an answer, and by how much the process grows."""

    def __init__(self, supervisor: Supervisor) -> None:
        (pid,) = supervisor.pids("api")
        self._process = Path(f"/proc/{pid}")
        self._url = urlsplit(supervisor.url)
        self._ended = threading.Event()
        self._asking = threading.Thread(target=self._ask_for_ever)
        self.stall_s = 0.0
        self.growth_bytes = 0

    def __enter__(self) -> "Watch":
        (self._process / "clear_refs").write_text("5")  # the peak is counted from here
        self._before = self._resident("VmRSS")
        self._asking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._asking.join()
        self.growth_bytes = self._resident("VmHWM") - self._before

    def _ask_for_ever(self) -> None:
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=60.0)
        while not self._ended.wait(0.005):
            began_s = time.monotonic()
            connection.request("GET", "/health")
            assert connection.getresponse().read()
            self.stall_s = max(self.stall_s, time.monotonic() - began_s)

    def _resident(self, which: str) -> int:
        lines = (self._process / "status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(which))


@pytest.mark.timed
@pytest.mark.parametrize("name", HOSTILE)
def test_nobody_waits_for_a_hostile_body(service: Supervisor, name: str) -> None:
    route, head, unit, tail, status = HOSTILE[name]
    body = head + (unit * (BODY_BYTES // len(unit))).rstrip(b",") + tail
    method = "PUT" if route.startswith("/v1/runs") else "POST"
    with Watch(service) as watch:
        answer = httpx.request(method, service.url + route, content=body, timeout=100.0)
    assert_problem(answer, status)
    assert len(answer.json().get("errors", [])) <= 20
    assert watch.stall_s < MOST_STALL_S
    assert watch.growth_bytes < MOST_GROWTH_BYTES


LARGE: dict[str, tuple[str, object, int]] = {
    "half a character": ("/get_reward", {"query": "x" * 1_100_000, "labels": "\ud800"}, 200),
    "half characters": ("/get_reward", {"query": "x", "labels": "{" + "\ud800" * 600_000}, 422),
    "prompts that are not found": (
        "/get_reward",
        {"query": ["y" + "<s>" * 50_000] * 32, "prompts": ["x" + "</s>" * 40_000] * 32, "labels": ["4"] * 32},
        200,
    ),
    "answers in many notations": (
        "/get_reward?run=formats",
        {"query": ["Q" + "####\n" * 13_000] * 128, "prompts": ["Q"] * 128, "labels": ['{"ground_truth": "4"}'] * 128},
        200,
    ),
    "a prompt of numbers": ("/v1/remote_rm", {"response": "x", "label": "4", "prompt": [1] * 600_000}, 200),
}
"""Of a size that is taken, or nearly."""


@pytest.mark.timed
@pytest.mark.parametrize("name", LARGE)
def test_nobody_waits_for_a_large_request(service: Supervisor, name: str) -> None:
    route, body, status = LARGE[name]
    formats = ["boxed", "fbox", "json", "final-answer", "hashes"]
    httpx.put(
        f"{service.url}/v1/runs/formats", json={"method": "majority-voting", "answer_formats": formats}
    ).raise_for_status()
    content = json.dumps(body).encode()
    assert len(content) < BODY_BYTES
    with Watch(service) as watch:
        answer = httpx.post(service.url + route, content=content, timeout=100.0)
    assert answer.status_code == status, answer.text[:500]
    assert watch.stall_s < MOST_STALL_S


@pytest.mark.timed
def test_nobody_waits_for_what_is_ignored(service: Supervisor) -> None:
    body = b'{"query":"x","labels":["4"],"more":[' + (b"10," * (BODY_BYTES // 3)).rstrip(b",") + b"]}"
    with Watch(service) as watch:
        answer = httpx.post(service.url + "/get_reward", content=body, timeout=100.0)
    assert answer.json()["rewards"] == 0.0
    assert watch.stall_s < MOST_STALL_S
    assert watch.growth_bytes < MOST_GROWTH_BYTES


@pytest.mark.timed
def test_nobody_waits_for_a_large_batch(service: Supervisor) -> None:
    response = 'So we get \\frac{1}{2}, and "then" x = 5.\n' * 95 + "\\boxed{5}"
    rollouts = [
        {"question_id": f"q{n // 8}", "view": view, "rollout": n % 8, "response": response}
        for n in range(2000)
        for view in ("original", "paraphrase")
    ]
    body = httpx.Request("POST", service.url, json={"rollouts": rollouts, "wait_s": 60}).content
    assert len(body) > BODY_BYTES
    with Watch(service) as watch:
        answer = httpx.post(f"{service.url}/v1/rewards", content=body, timeout=100.0)
    assert answer.status_code == 200
    assert answer.json()["rewards"] == [1.0] * 4000
    assert watch.stall_s < MOST_STALL_S
    assert watch.growth_bytes < MOST_GROWTH_BYTES
