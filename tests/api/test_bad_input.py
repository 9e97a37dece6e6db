"""Whatever is sent, the answer is a problem document that says what to do, and others go on."""

import copy
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from co_rewarding_schema.rollouts import RewardRequest
from co_rewarding_schema.trainer_formats import OpenRLHFRequest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from reward_service.api.rewards.models import OpenRLHFForm, RewardForm
from tests.support.service import assert_problem, pair, running

WHOLE: dict[str, Any] = {
    "run": "default",
    "step": 1,
    "method": "co-rewarding-i",
    "complete": True,
    "wait_s": 5,
    "rollouts": [
        {
            "question_id": "q",
            "view": "original",
            "rollout": 0,
            "attempt": 0,
            "voter": "policy",
            "response": "\\boxed{4}",
            "ground_truth": "4",
            "statistics": {"self_certainty": 1.0, "entropy": 0.5},
        }
    ],
}


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    if at:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from paths(inner, (*at, name))


def replaced(path: tuple[Any, ...], value: Any, *, remove: bool = False) -> dict[str, Any]:
    """The whole document with another value in one place, or without it."""
    document = copy.deepcopy(WHOLE)
    inner: Any = document
    for name in path[:-1]:
        inner = inner[name]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return document


ODD = [None, True, 0, -1, 1.5, 10**30, "", "x", "\x00", [], [[]], {}, {"a": 1}, "9" * 5000]


@pytest.mark.parametrize("path", list(paths(WHOLE)), ids=lambda path: ".".join(map(str, path)))
def test_every_field_missing_and_of_every_type(client: httpx.Client, path: tuple[Any, ...]) -> None:
    bodies = [replaced(path, value) for value in ODD] + [replaced(path, None, remove=True)]
    for body in bodies:
        for route in ("/v1/rewards", "/v1/rollouts"):
            answer = client.post(route, content=json.dumps(body))
            assert answer.status_code in {200, 202, 404, 409, 413, 422, 501}, (body, answer.text)
            if answer.status_code >= 400:
                assert_problem(answer, answer.status_code)
    assert client.post("/v1/rewards", json=WHOLE).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\x00",
        b"\xff\xfe",
        b'{"rollouts": [{"question_id": "q", "response": "\xff"}]}',
        b'{"rollouts": [{"question_id": "q", "response": "x", "statistics": {"entropy": NaN}}]}',
        b'{"rollouts": [{"question_id": "q", "response": "x", "statistics": {"entropy": 1e999}}]}',
        b'{"rollouts": [{"question_id": "q", "response": "x"}], "wait_s": NaN}',
        b'{"rollouts": [{"question_id": "q", "response": "x"}], "rolouts": []}',
        b'{"rollouts": ' + b"[" * 100_000,
        json.dumps(WHOLE).encode()[:-20],
    ],
    ids=range(14),
)
@pytest.mark.parametrize("route", ["/v1/rewards", "/v1/rollouts", "/get_reward", "/v1/remote_rm", "/v1/runs/r"])
def test_what_is_no_request_is_a_problem(client: httpx.Client, route: str, body: bytes) -> None:
    call = client.put if route.startswith("/v1/runs") else client.post
    answer = call(route, content=body, headers={"content-type": "application/json"})
    assert_problem(answer, answer.status_code)
    assert answer.status_code in {400, 422}


def test_a_problem_lists_every_place(client: httpx.Client) -> None:
    body = {"rollouts": [{"question_id": 5, "response": "x", "view": "sideways"}], "typo": 1}
    answer = client.post("/v1/rewards", json=body)
    assert_problem(answer, 422)
    assert {each["where"] for each in answer.json()["errors"]} == {
        "rollouts[0].question_id", "rollouts[0].view", "typo",
    }  # fmt: skip


def test_too_much_of_everything(client: httpx.Client) -> None:
    one = {"question_id": "q", "response": "x"}
    assert_problem(client.post("/v1/rewards", json={"rollouts": [one] * 65}), 413, "64", "MAX_ROLLOUTS")
    long = one | {"response": "x" * 50_001}
    assert_problem(client.post("/v1/rewards", json={"rollouts": [one, long]}), 413, "rollouts[1]", "50000")
    assert_problem(client.post("/v1/rewards", content=b" " * 300_001), 413, "300000", "MAX_BODY_BYTES")
    stream = (b" " * 10_000 for _ in range(40))
    assert_problem(client.post("/v1/rewards", content=stream), 413)
    assert_problem(client.post("/get_reward", json={"query": ["x" * 50_001]}), 413)


def test_names_that_name_nothing(client: httpx.Client) -> None:
    rollouts = pair("q", ["4"], ["4"])
    assert_problem(client.post("/v1/rewards", json={"rollouts": rollouts, "run": "nope"}), 404, "PUT /v1/runs/nope")
    assert_problem(client.post("/v1/rewards", json={"rollouts": rollouts, "run": "a/b"}), 422, "run")
    assert_problem(client.post("/v1/rewards", json={"rollouts": rollouts, "method": "x"}), 422, "majority-voting")
    assert_problem(client.post("/get_reward?run=nope", json={"query": ["x"], "prompts": ["Q"]}), 404)
    assert_problem(client.get("/v1/rewards/default~nope"), 404)
    assert_problem(client.get("/v1/rewards/nope?wait_s=-1"), 422)
    for cohort in ("nope", "default~nope", "default~nope.0", "default~", "~"):
        assert_problem(client.get(f"/v1/cohorts/{cohort}"), 404)
    assert_problem(client.get("/v1/runs/nope"), 404)
    assert_problem(client.get("/nothing/here"), 404)
    assert_problem(client.delete("/v1/rewards"), 405)
    assert_problem(client.post("/v1/runs"), 405)
    assert_problem(client.post("/v1/rewards", content=b"x", headers={"content-encoding": "gzip"}), 415)


def test_a_body_that_ends_too_soon_costs_nobody_else_anything(client: httpx.Client, service_url: str) -> None:
    url = urlsplit(service_url)
    for cut in (0, 10, 40):
        with socket.create_connection((url.hostname, url.port)) as raw:
            head = b"POST /v1/rewards HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
            raw.sendall(head + b"{" * cut)
    assert client.post("/v1/rewards", json=WHOLE).status_code == 200


@pytest.fixture(scope="module")
def guarded() -> Iterator[httpx.Client]:
    with running(api_keys=["secret-1", "secret-2"]) as supervisor, httpx.Client(base_url=supervisor.url) as client:
        yield client


def test_keys(guarded: httpx.Client) -> None:
    asked = guarded.get("/v1/runs")
    assert_problem(asked, 401, "Authorization: Bearer")
    assert asked.headers.get_list("www-authenticate") == ["Bearer", 'Basic realm="co-rewarding"']
    for route in ("/v1/rewards", "/get_reward", "/metrics", "/docs", "/v1/rewards/default~x"):
        assert guarded.request("GET", route).status_code == 401, route
    for wrong in ("Bearer nope", "Basic !!!", "Basic eDpub3Bl", "Bearer", "Digest x"):
        assert guarded.get("/v1/runs", headers={"authorization": wrong}).status_code in {401, 403}
    known = ("CO_REWARDING_API_KEYS ", "CO_REWARDING_API_KEYS_FILE", "--api-keys-file")
    assert_problem(guarded.get("/v1/runs", headers={"authorization": "Bearer nope"}), 403, *known)
    assert guarded.get("/v1/runs", headers={"authorization": "Bearer secret-2"}).status_code == 200
    assert guarded.get("/v1/runs", auth=("x", "secret-1")).status_code == 200
    assert guarded.get("/health").status_code == guarded.get("/ready").status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["q", "original"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["response", "q", "x"]), inner),
    max_leaves=6,
)


def accepts(decode: Any, body: bytes) -> bool:
    try:
        decode(body)
    except (msgspec.DecodeError, ValidationError, UnicodeDecodeError, RecursionError):
        return False
    return True


def is_whole_float(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@example(path=("step",), value=0.0, remove=False)
@given(path=st.sampled_from(list(paths(WHOLE))), value=JSON, remove=st.booleans())
def test_the_two_forms_of_a_request_agree(path: tuple[Any, ...], value: Any, remove: bool) -> None:
    body = json.dumps(replaced(path, value, remove=remove)).encode()
    fast = accepts(msgspec.json.Decoder(RewardRequest).decode, body)
    described = accepts(RewardForm.model_validate_json, body)
    # The names of runs and methods are checked against what there is, not by the form. A whole number that is written
    # as 3.0 is none for the fast decoder: the careful reader, which follows the form, takes it.
    assert fast == described or (fast and path in {("run",), ("method",)}) or (described and is_whole_float(value))


@given(st.fixed_dictionaries({}, optional={"query": JSON, "prompts": JSON}))  # labels: test_labels.py
def test_the_two_forms_of_openrlhf_agree(body: dict[str, Any]) -> None:
    data, decode = json.dumps(body).encode(), msgspec.json.Decoder(OpenRLHFRequest).decode
    assert accepts(decode, data) == accepts(OpenRLHFForm.model_validate_json, data)
