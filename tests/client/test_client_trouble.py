"""What goes wrong, for the blocking client and the one for asyncio, over httpx.MockTransport."""

import base64
import json
import logging
import math

import httpx
import pytest
from client_world import (
    Caller,
    FakeService,
    pending,
    problem,
    rollouts,
    settled,
)
from co_rewarding_client import (
    Conflict,
    InvalidRequest,
    NotFound,
    ProblemError,
    ProtocolError,
    RewardClient,
    Rollout,
    ServiceUnavailable,
    Statistics,
    Unauthorized,
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(422, InvalidRequest), (401, Unauthorized), (404, NotFound), (409, Conflict), (500, ProblemError)],
)
def test_a_refusal_is_an_error_at_once(caller: Caller, status: int, kind: type[ProblemError]):
    service = FakeService(problem(status, "Wrong", detail="rollouts[0] is wrong", code=7))
    with pytest.raises(kind) as refused:
        caller.call(service, "rewards", rollouts())
    assert (refused.value.status, refused.value.detail, refused.value.problem["code"]) == (
        status, "rollouts[0] is wrong", 7
    )  # fmt: skip
    assert len(service.requests) == 1


def test_a_ticket_that_has_expired(caller: Caller):
    with pytest.raises(NotFound, match="submit again"):
        caller.call(FakeService(problem(404, detail="submit again")), "collect", "t")


def test_a_proxys_page_is_told_when_patience_is_over(caller: Caller):
    service = FakeService(httpx.Response(502, html="<html><h1>502 Bad Gateway</h1>nginx</html>"), takes_s=10.0)
    with pytest.raises(ServiceUnavailable, match="502 Bad Gateway nginx") as gone:
        caller.call(service, "version")
    assert isinstance(gone.value.__cause__, ProblemError)
    assert gone.value.__cause__.status == 502


def test_a_service_that_cannot_be_reached(caller: Caller):
    service = FakeService(httpx.ConnectError("connection refused"), takes_s=1.0)
    with pytest.raises(ServiceUnavailable, match="connection refused") as gone:
        caller.call(service, "rewards", rollouts())
    assert isinstance(gone.value.__cause__, httpx.ConnectError)
    assert 60.0 <= service.time.now_s - 1000.0 <= 61.0


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (httpx.ConnectError("connection refused"), "ConnectError: connection refused"),
        (problem(503, "Service Unavailable", detail="no worker has been seen"), "no worker has been seen"),
    ],
    ids=["away", "held"],
)
def test_the_first_retry_is_a_warning_and_then_ever_fewer_are(caller: Caller, caplog, trouble: object, said: str):
    service = FakeService(trouble)
    with caplog.at_level(logging.INFO), pytest.raises(ServiceUnavailable, match="at http://service"):
        caller.call(service, "rewards", rollouts(), client={"patience_s": 900.0})
    told = warnings(caplog)
    assert said in told[0]
    assert "POST /v1/rewards at http://service failed, try 1" in told[0]
    assert told[0].endswith("for up to 900 s")
    assert 4 <= len(told) <= 8 < len(caplog.records)  # after 0, 15, 45, 105, 225, 465 s


def test_what_is_only_waited_for_is_no_warning(caller: Caller, caplog):
    with caplog.at_level(logging.INFO):
        caller.call(FakeService(pending(), pending(), settled()), "collect", "t/1")
    assert caplog.records
    assert warnings(caplog) == []


def test_a_failure_that_would_recur_is_not_repeated(caller: Caller):
    for failure, kind in [
        (httpx.LocalProtocolError("illegal header"), InvalidRequest),
        (httpx.DecodingError("not gzip"), ProtocolError),
    ]:
        service = FakeService(failure)
        with pytest.raises(kind, match="GET /version") as refused:
            caller.call(service, "version")
        assert refused.value.__cause__ is failure
        assert len(service.requests) == 1


def test_a_page_in_place_of_an_answer(caller: Caller):
    with pytest.raises(ProtocolError, match="Welcome to nginx"):
        caller.call(FakeService(httpx.Response(200, html="<h1>Welcome to nginx</h1>")), "rewards", rollouts())


def test_lone_surrogates_arrive_as_replacement_characters(caller: Caller):
    service = FakeService(settled())
    caller.call(service, "rewards", [Rollout(prompt="p\udc80", response="a\ud800b \U0001f600")])
    text = service.request.content.decode("utf-8")
    assert "\\u" not in text
    (sent,) = json.loads(text)["rollouts"]
    assert (sent["prompt"], sent["response"]) == ("p\ufffd", "a\ufffdb \U0001f600")


def test_what_is_found_wrong_here_is_not_sent(caller: Caller):
    service = FakeService(settled())
    for call in (
        lambda: caller.call(
            service, "rewards", [Rollout(question_id="q", statistics=Statistics(entropy=math.nan), response="")]
        ),
        lambda: caller.call(service, "submit", rollouts(), idempotency_key="line\n"),
        lambda: caller.call(service, "run", ".."),
    ):
        with pytest.raises(InvalidRequest):
            call()
    assert service.requests == []


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("base_url", "api_key", "authorization"),
    [
        ("http://service", None, None),
        ("http://service", "k", "Bearer k"),
        ("http://x:secret@service", None, basic("x", "secret")),
        ("http://x:s%40c%2Fr@service", None, basic("x", "s@c/r")),
        ("http://x:secret@service", "k", "Bearer k"),
    ],
)
def test_who_is_calling(caller: Caller, caplog, base_url: str, api_key: str | None, authorization: str | None):
    service = FakeService(problem(503), settled())
    with caplog.at_level(logging.INFO):
        caller.call(service, "rewards", rollouts(), client={"base_url": base_url, "api_key": api_key})
    assert [request.headers.get("authorization") for request in service.requests] == [authorization] * 2
    assert str(service.requests[0].url) == "http://service/v1/rewards"
    assert "try 1" in caplog.text
    assert "secret" not in caplog.text
    assert "s@c" not in caplog.text


@pytest.mark.parametrize("base_url", ["http://host:8000/rewards", "http://host:8000/rewards/"])
def test_the_service_may_be_mounted_below_a_path(caller: Caller, base_url: str):
    service = FakeService(pending(), settled())
    caller.call(service, "rewards", rollouts(), client={"base_url": base_url})
    assert [str(request.url.copy_with(query=None)) for request in service.requests] == [
        "http://host:8000/rewards/v1/rewards",
        "http://host:8000/rewards/v1/rewards/t%2F1",
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "127.0.0.1:8000"},
        {"base_url": "ftp://service"},
        {"base_url": "http://"},
        {"base_url": "http://service:port"},
        {"base_url": "http://service/?run=x"},
        {"base_url": "http://service/#x"},
        {"api_key": ""},
        {"api_key": "key\n"},
        {"api_key": "ключ"},
        {"timeout_s": 0.0},
        {"patience_s": -1.0},
    ],
)
def test_a_client_that_could_never_work_is_refused_when_made(caller: Caller, options: dict[str, object]):
    with pytest.raises(InvalidRequest) as refused:
        caller.call(FakeService(settled()), "version", client=options)
    assert "key\n" not in str(refused.value)


def test_a_redirect_is_not_followed_with_the_key(caller: Caller):
    service = FakeService(httpx.Response(308, headers={"location": "http://elsewhere/"}), settled())
    with pytest.raises(ProtocolError, match="http://elsewhere/"):
        caller.call(service, "rewards", rollouts(), client={"api_key": "k"})
    assert len(service.requests) == 1


def test_a_closed_client_says_so():
    client = RewardClient("http://service")
    client.close()
    with pytest.raises(InvalidRequest, match="the client was closed before this call"):
        client.version()
