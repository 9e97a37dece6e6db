"""Whatever stands in whichever place of a request, the answer is no fault of the service."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.api.test_bad_input import paths
from tests.support.service import assert_problem, running

DEEP = 100_000
LONGEST_S = 20.0
"""For one request among others, on a machine that has much else to do."""

HERE = "here-it-stands"
ROLLOUT: dict[str, Any] = {
    "question_id": "q",
    "view": "original",
    "rollout": 0,
    "attempt": 0,
    "voter": "policy",
    "response": "\\boxed{4}",
    "ground_truth": "4",
    "statistics": {"self_certainty": 1.0, "entropy": 0.5},
}
BATCH = {"run": "default", "step": 1, "method": "majority-voting", "complete": True, "wait_s": 0, "rollouts": [ROLLOUT]}
LABEL = {
    "question_id": "q",
    "view": "original",
    "n": 1,
    "run": "default",
    "step": 1,
    "rollout": 0,
    "attempt": 0,
    "ground_truth": "4",
}
RECIPE = {
    "run": "default",
    "n": 1,
    "prompts": ["paper"],
    "temperature": 1.0,
    "top_p": 1.0,
    "max_tokens": 10,
    "seed": 0,
    "answers": 0,
    "least_agreement": 0.5,
    "doubtful": 0.0,
    "most_doubt": 1.0,
    "least_similarity": 0.1,
    "unmarked": False,
    "fallback": "none",
    "checks": ["not_copied"],
}
ASKED = {"question_id": "q", "question": "What is 1 + 1?", "ground_truth": "2"}
DOORS: dict[str, tuple[str, str, Any]] = {
    "rewards": ("POST", "/v1/rewards", BATCH),
    "rollouts": ("POST", "/v1/rollouts", {"complete": False, "rollouts": [{"prompt": "p", "response": "4"}]}),
    "get_reward": ("POST", "/get_reward", {"query": ["p\\boxed{4}"], "prompts": ["p"], "labels": ["4"]}),
    "remote_rm": ("POST", "/v1/remote_rm", {"prompt": "p", "response": "\\boxed{4}", "label": LABEL}),
    "runs": (
        "PUT",
        "/v1/runs/hostile",
        {
            "method": "majority-voting",
            "group_size": 1,
            "teacher_group_size": 1,
            "total_steps": 10,
            "alpha_start": 0.9,
            "alpha_end": 0.9,
            "cohort_deadline_s": 1.0,
            "min_votes": 1,
            "min_vote_share": 0.0,
            "teacher_model": "m",
            "max_teacher_lag": 0,
            "teacher_temperature": 1.0,
            "teacher_top_p": 1.0,
            "teacher_max_tokens": 10,
            "answer_formats": ["boxed"],
            "conventions": "lenient",
            "quarantine": "off",
        },
    ),
    "paraphrases": ("POST", "/v1/paraphrases", {"questions": [ASKED], "n": 1, "wait_s": 0}),
    "jobs": (
        "POST",
        "/v1/paraphrases/jobs",
        RECIPE
        | {
            "questions": [ASKED],
            "columns": {"question_id": "a", "question": "b", "ground_truth": "c"},
            "split": "train",
        },
    ),
    "jobs by path": ("POST", "/v1/paraphrases/jobs", {"path": "file.jsonl"}),
    "updates": ("POST", "/v1/teacher/updates", {"run": "default", "step": 1, "path": "step-1", "sha256": "0" * 64}),
    "uploads": (
        "POST",
        "/v1/teacher/uploads",
        {
            "run": "default",
            "step": 1,
            "files": [{"name": "a.safetensors", "size": 1, "sha256": "0" * 64}],
        },
    ),
    "prefetch": (
        "POST",
        "/v1/teacher/prefetch",
        {
            "run": "default",
            "step": 1,
            "questions": [
                {"question_id": "q", "view": "original", "messages": [{"role": "user", "content": "x"}]},
            ],
        },
    ),
}

VALUES: dict[str, bytes] = {
    "NaN": b"NaN",
    "infinity": b"Infinity",
    "less than all": b"-Infinity",
    "less than nothing": b"-0",
    "less than nothing, a float": b"-0.0",
    "beyond floats": b"1e400",
    "far below zero": b"-1e400",
    "next to nothing": b"1e-400",
    "the largest float": b"1.7976931348623157e308",
    "63 bits": str(2**63).encode(),
    "64 bits": str(2**64).encode(),
    "200 bits": str(-(2**200)).encode(),
    "5000 digits": b"9" * 5000,
    "5000 decimals": b"0." + b"9" * 5000,
    "a long exponent": b"1e" + b"9" * 5000,
    "a boolean": b"true",
    "nothing": b"null",
    "no text": b'""',
    "a space": b'" "',
    "a null byte": rb'"\u0000"',
    "a line": rb'"a\nb\u2028"',
    "the first half of a pair": rb'"a\ud83d"',
    "the second half of a pair": rb'"\ude00a"',
    "halves as name": rb'{"\ud800": "\udfff"}',
    "not UTF-8": b'"\xff"',
    "a half in UTF-8": b'"\xed\xa0\x80"',
    "a control character": b'"\x01"',
    "a long text": b'"' + b"x" * 10_000 + b'"',
    "year 10000": b'"10000-01-01T00:00:00Z"',
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "an open list": b"[" * DEEP,
    "a deep text": b'"' + b"[" * DEEP + b'"',
    "a deep text of objects": b'"' + rb"{\"a\":" * (DEEP // 4) + b'"',
    "no name": b'{"": 1}',
    "a name twice": b'{"a": 1, "a": 2}',
    "a list of everything": rb'[null, true, 1e400, "\ud800", {}, [], -0]',
    "a label with a half": rb'"{\"question_id\": \"\\ud800\", \"n\": 1}"',
    "a label beyond floats": rb'"{\"question_id\": \"q\", \"n\": 1, \"step\": 1e400}"',
    "a label of a large number": rb'"{\"question_id\": \"q\", \"n\": 1, \"ground_truth\": ' + b"9" * 5000 + b'}"',
    "a label with NaN": rb'"{\"question_id\": \"q\", \"n\": NaN}"',
    "a label twice": rb'"{\"question_id\": \"q\", \"question_id\": \"r\", \"n\": 1}"',
    "a deep label": rb'"{\"question_id\": ' + b"[" * DEEP + b"]" * DEEP + b'}"',
    "a deep truth": rb'"{\"question_id\": \"q\", \"n\": 1, \"ground_truth\": ' + b"[" * DEEP + b"]" * DEEP + b'}"',
}


def places() -> Iterator[tuple[str, tuple[Any, ...]]]:
    for door, (_, _, document) in DOORS.items():
        yield door, ()
        for path in paths(document):
            yield door, path


def with_value(document: Any, path: tuple[Any, ...], value: bytes) -> bytes:
    """The document as JSON, with raw bytes in one place."""
    document = json.loads(json.dumps(document))
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    if not path:
        return value
    inner[path[-1]] = HERE
    return json.dumps(document).encode().replace(f'"{HERE}"'.encode(), value)


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that holds nobody for long."""
    settings: dict[str, Any] = {
        "max_wait_s": 0.05,
        "get_reward_hold_s": 0.1,
        "remote_rm_hold_s": 0.1,
        "max_text_chars": 50_000,
        "max_paraphrase_jobs": 100_000,
        "weights_root": tmp_path_factory.mktemp("weights"),
        "paraphrase_root": tmp_path_factory.mktemp("paraphrases"),
    }
    with running(**settings) as supervisor:
        yield supervisor.url


@pytest.fixture
def attacker(besieged: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=besieged, timeout=60.0) as client:
        yield client


def assert_no_fault(answer: httpx.Response, *about: object) -> None:
    told = (*about, answer.status_code, answer.text[:300])
    assert answer.status_code < 500 or answer.status_code in {501, 503, 504}, told
    if answer.status_code >= 400:
        assert_problem(answer, answer.status_code)
    assert len(answer.content) < 20_000, told


@pytest.mark.parametrize(
    ("door", "path"),
    list(places()),
    ids=lambda each: ".".join(map(str, each)) or "body" if isinstance(each, tuple) else each,
)
def test_every_value_in_every_place(attacker: httpx.Client, door: str, path: tuple[Any, ...]) -> None:
    method, url, document = DOORS[door]
    for name, value in VALUES.items():
        body = with_value(document, path, value)
        began_s = time.monotonic()
        answer = attacker.request(method, url, content=body, headers={"content-type": "application/json"})
        assert_no_fault(answer, door, path, name)
        assert time.monotonic() - began_s < LONGEST_S, (door, path, name)


SEGMENTS = [
    "%00",
    "%ff",
    "%ED%A0%80",
    "%F0%9F%98%80",
    "~",
    "default~",
    "default~%00",
    "a" * 5000,
    "%25",
    "%2e%2e",
    ".",
    "..",
    "default~%ED%A0%80",
    "1e999",
    "-1",
    "%0a",
    "default~" + "x" * 5000,
    "%e2%80%a8",
    "{}",
    "'",
    "default~x~y",
    "*",
    "%5c",
]
PATHS = [
    "/v1/rewards/{}",
    "/v1/cohorts/{}",
    "/v1/runs/{}",
    "/v1/runs/{}/quarantine",
    "/v1/paraphrases/jobs/{}",
    "/v1/paraphrases/jobs/{}/results",
    "/v1/teacher/uploads/{}",
    "/{}",
    "/docs/{}",
]
OTHERS = [
    ("DELETE", "/v1/runs/default/quarantine/{}"),
    ("DELETE", "/v1/paraphrases/jobs/{}"),
    ("DELETE", "/v1/teacher/uploads/{}"),
    ("PATCH", "/v1/teacher/uploads/{}/x"),
    ("PATCH", "/v1/teacher/uploads/x/{}"),
    ("PUT", "/v1/runs/{}"),
    ("POST", "/v1/paraphrases/jobs/{}/pause"),
]


@pytest.mark.parametrize(("method", "path"), [*(("GET", path) for path in PATHS), *OTHERS])
def test_every_path(attacker: httpx.Client, method: str, path: str) -> None:
    for segment in SEGMENTS:
        assert_no_fault(raw(attacker, method, path.format(segment)), method, path, segment)


QUERIES = [
    "/v1/rewards/default~x?wait_s={}",
    "/get_reward?run={}",
    "/v1/remote_rm?run={}",
    "/v1/runs?limit={}",
    "/v1/runs?cursor={}",
    "/v1/runs?cursor={}~r",
    "/v1/runs?cursor=1~{}",
    "/v1/teacher?run={}",
    "/v1/runs/default/quarantine?limit={}",
    "/v1/paraphrases/jobs/x/results?partial={}",
    "/v1/paraphrases/jobs?order={}",
]
QUERY_VALUES = [
    "",
    "nan",
    "inf",
    "-inf",
    "-1",
    "1e400",
    "1e-400",
    "9" * 5000,
    "%00",
    "%ff",
    "%ED%A0%80",
    "\u0663",
    "1_000",
    "+1",
    "0x1",
    "true",
    "[" * 4000,
    "a" * 6000,
    "%F0%9F%98%80",
    "1&limit=2",
    "~",
]


@pytest.mark.parametrize("path", QUERIES)
def test_every_query(attacker: httpx.Client, path: str) -> None:
    method = "POST" if path.startswith(("/get", "/v1/rem", "/v1/paraphrases/jobs?")) else "GET"
    for value in QUERY_VALUES:
        assert_no_fault(raw(attacker, method, path.format(quote(value, safe="%&~"))), path, value)


HEADERS = {
    "idempotency-key": [b"\xff\xfe", b"\x80" * 1024, b"a" * 1025, b"", b" ", b"\xed\xa0\x80", "schlüssel".encode()],
    "content-length": [b"-1", b"\xb2", b"9" * 5000, b"1e3"],
    "content-type": [
        b"\xff",
        b"application/json; charset=\xff",
        b"multipart/form-data",
        b"multipart/form-data; boundary=\xff",
        b"a" * 4000,
    ],
    "content-encoding": [b"\xff", b"gzip", b""],
    "upload-offset": [b"\xff", b"\xb2", b"9" * 5000, b"-1", b"nan"],
    "authorization": [b"\xff", b"Basic \xff", b"Basic " + b"A" * 4001, b"Bearer \xff", b"Basic /////w=="],
    "host": [b"\xff", b"[", b"a" * 4000],
    "accept": [b"\xff"],
}


@pytest.mark.parametrize("name", HEADERS)
def test_every_header(besieged: str, name: str) -> None:
    for method, path in (
        ("POST", "/v1/rewards"),
        ("POST", "/v1/rollouts"),
        ("POST", "/get_reward"),
        ("PUT", "/v1/runs/x"),
        ("POST", "/v1/paraphrases/jobs"),
        ("PATCH", "/v1/teacher/uploads/x/y"),
        ("POST", "/v1/teacher/updates"),
        ("GET", "/v1/runs"),
        ("GET", "/docs"),
        ("GET", "/"),
    ):
        for value in HEADERS[name]:
            status = bare(besieged, method, path, {name.encode(): value})
            assert status < 500 or status in {501, 503}, (method, path, name, value, status)


def raw(client: httpx.Client, method: str, target: str) -> httpx.Response:
    """A request whose target is not mended on its way."""
    url = client.base_url.copy_with(raw_path=target.encode("ascii"))
    return client.request(
        method, url, content=b"{}" if method in {"PUT", "POST"} else None, headers={"content-type": "application/json"}
    )


def bare(base: str, method: str, path: str, headers: dict[bytes, bytes]) -> int:
    """The status of an answer to a request that no client library would send."""
    url = urlsplit(base)
    sent = {b"host": b"x", b"content-length": b"2", b"connection": b"close"} | headers
    head = f"{method} {path} HTTP/1.1\r\n".encode() + b"".join(b"%s: %s\r\n" % each for each in sent.items())
    with socket.create_connection((url.hostname, url.port), timeout=60.0) as connection:
        connection.sendall(head + b"\r\n{}")
        answer = connection.recv(65_536)
    return int(answer.split(b" ", 2)[1]) if answer else 400
