"""What goes well: the same scenarios for the blocking client and the one for asyncio, over httpx.MockTransport."""

import httpx
import pytest
from client_world import (
    Caller,
    FakeService,
    accepted,
    pending,
    problem,
    rewards_document,
    rollouts,
    settled,
)
from co_rewarding_client import (
    NotFound,
    Pending,
    ProtocolError,
    Rewards,
    RunSettings,
    StillPending,
    Ticket,
)


def json_answer(document: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=document)


def test_a_batch_is_rewarded(caller: Caller):
    service = FakeService(settled(2))
    value = caller.call(service, "rewards", rollouts(2), step=3, method="co-rewarding-i", client={"run": "math"})
    assert isinstance(value, Rewards)
    assert value.rewards == [1.0, 1.0]
    request = service.request
    assert (request.method, str(request.url)) == ("POST", "http://service/v1/rewards")
    assert request.headers["content-type"] == "application/json"
    assert "application/problem+json" in request.headers["accept"]
    assert "authorization" not in request.headers
    item = {"question_id": "q", "view": "original", "attempt": 0, "voter": "policy", "response": r"\boxed{4}"}
    assert service.body == {
        "run": "math",
        "step": 3,
        "method": "co-rewarding-i",
        "complete": True,
        "wait_s": 30.0,
        "rollouts": [{**item, "rollout": 0}, {**item, "rollout": 1}],
    }


def test_the_end_of_the_block_closes_the_connections(caller: Caller):
    service = FakeService(settled())
    caller.call(service, "rewards", rollouts())
    assert service.closed


def test_time_to_read_includes_the_wait_and_time_to_connect_does_not(caller: Caller):
    service = FakeService(settled())
    caller.call(service, "rewards", rollouts(), wait_s=20.0)
    assert service.request.extensions["timeout"] == {"connect": 5.0, "read": 25.0, "write": 5.0, "pool": 5.0}


def test_all_tries_of_a_call_have_one_key_and_body_and_the_next_call_another(caller: Caller):
    service = FakeService(
        problem(429, headers={"retry-after": "7"}), problem(503), httpx.ConnectError("refused"), settled()
    )
    caller.call(service, "rewards", rollouts())
    assert [request.headers["idempotency-key"] for request in service.requests] == ["key-1"] * 4
    assert len({request.content for request in service.requests}) == 1
    assert service.time.slept == [7.125, 0.25, 0.5]
    again = FakeService(accepted())
    again.time = service.time
    caller.call(again, "submit", rollouts())
    assert again.request.headers["idempotency-key"] == "key-2"


@pytest.mark.parametrize(("name", "answer"), [("rewards", settled()), ("submit", accepted())])
def test_the_caller_may_give_the_key(caller: Caller, name: str, answer: httpx.Response):
    service = FakeService(answer)
    caller.call(service, name, rollouts(), idempotency_key="mine")
    assert service.request.headers["idempotency-key"] == "mine"


def test_a_202_is_followed_to_its_rewards(caller: Caller):
    service = FakeService(pending(0, 2), pending(1, 2), settled(2))
    value = caller.call(service, "rewards", rollouts(2), wait_s=10.0)
    assert value.rewards == [1.0, 1.0]
    paths = [(request.method, request.url.raw_path) for request in service.requests]
    assert paths[0] == ("POST", b"/v1/rewards")
    assert paths[1] == ("GET", b"/v1/rewards/t%2F1?wait_s=10.0")
    assert service.time.slept == [0.5]


def test_rewards_that_do_not_come_leave_the_ticket(caller: Caller):
    service = FakeService(pending(3, 8), takes_s=10.0)
    with pytest.raises(StillPending) as waited:
        caller.call(service, "rewards", rollouts(8))
    assert (waited.value.ticket, waited.value.settled, waited.value.of) == ("t/1", 3, 8)
    assert len(service.requests) == 6


@pytest.mark.parametrize("answers", [[settled(3)], [pending(), settled(3)]])
def test_as_many_rewards_as_rollouts(caller: Caller, answers: list[httpx.Response]):
    with pytest.raises(ProtocolError, match="3 rewards for 2 rollouts"):
        caller.call(FakeService(*answers), "rewards", rollouts(2))


def test_submit_then_collect(caller: Caller):
    service = FakeService(accepted())
    ticket = caller.call(service, "submit", rollouts(), step=3, method="entropy", complete=False)
    assert isinstance(ticket, Ticket)
    assert ticket.ticket == "t/1"
    assert service.request.url.path == "/v1/rollouts"
    assert {name: service.body[name] for name in ("step", "method", "complete")} == {
        "step": 3, "method": "entropy", "complete": False
    }  # fmt: skip
    assert "wait_s" not in service.body
    for name_of_it in (ticket, ticket.ticket):
        service = FakeService(pending(), settled())
        assert caller.call(service, "collect", name_of_it).rewards == [1.0]
        assert service.requests[1].url.raw_path == b"/v1/rewards/t%2F1?wait_s=20.0"


def test_submit_is_answered_by_a_ticket(caller: Caller):
    with pytest.raises(ProtocolError, match="status 200"):
        caller.call(FakeService(json_answer({"ticket": "t"})), "submit", rollouts())


def test_poll_looks_once(caller: Caller):
    service = FakeService(pending(3, 8))
    assert caller.call(service, "poll", "t/1") == Pending(ticket="t/1", settled=3, of=8)
    assert service.request.url.raw_path == b"/v1/rewards/t%2F1?wait_s=0.0"
    assert caller.call(FakeService(settled()), "poll", "t/1").rewards == [1.0]


def test_a_run_is_made_and_looked_at(caller: Caller):
    service = FakeService(json_answer({"run": "math", "group_size": 8}, 201))
    made = caller.call(service, "put_run", "math", RunSettings(method="co-rewarding-i", group_size=8, total_steps=300))
    assert made == {"run": "math", "group_size": 8}
    assert (service.request.method, service.request.url.path) == ("PUT", "/v1/runs/math")
    assert service.body == {"method": "co-rewarding-i", "group_size": 8, "total_steps": 300}

    service = FakeService(json_answer({"run": "math"}))
    assert caller.call(service, "run", "math") == {"run": "math"}
    assert (service.request.method, service.request.url.path) == ("GET", "/v1/runs/math")

    service = FakeService(json_answer({"runs": [{"run": "math"}, {"run": "default"}]}))
    assert caller.call(service, "runs") == ({"run": "math"}, {"run": "default"})
    assert (service.request.url.path, service.request.url.query) == ("/v1/runs", b"limit=500")


def test_runs_are_read_to_their_last_page(caller: Caller):
    first = json_answer({"runs": [{"run": "a"}, {"run": "b"}], "cursor": "1.5~b"})
    last = json_answer({"runs": [{"run": "c"}], "cursor": None})
    service = FakeService(first, last)
    assert caller.call(service, "runs") == ({"run": "a"}, {"run": "b"}, {"run": "c"})
    assert service.requests[-1].url.params["cursor"] == "1.5~b"


def test_a_cohort_is_explained(caller: Caller):
    service = FakeService(json_answer({"ballots": []}))
    assert caller.call(service, "cohort", "math/17:3") == {"ballots": []}
    assert service.request.url.raw_path == b"/v1/cohorts/math%2F17%3A3"


def test_version(caller: Caller):
    service = FakeService(json_answer({"version": "0.1.0", "commit": "abc"}))
    assert caller.call(service, "version") == "0.1.0"
    assert service.request.url.path == "/version"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (json_answer({}), True),
        (httpx.Response(200), True),
        (problem(503), False),
        (problem(429), False),
        (httpx.Response(502, text="<h1>Bad gateway</h1>"), False),
        (httpx.ConnectError("refused"), False),
        (httpx.ReadTimeout("slow"), False),
    ],
)
def test_ready_asks_once(caller: Caller, answer: httpx.Response | Exception, expected: bool):
    service = FakeService(answer)
    assert caller.call(service, "ready") is expected
    assert service.request.url.path == "/ready"
    assert service.time.slept == []


def test_ready_does_not_hide_a_wrong_address(caller: Caller):
    with pytest.raises(NotFound):
        caller.call(FakeService(problem(404)), "ready")


def test_fields_that_the_service_grows_are_no_error(caller: Caller):
    service = FakeService(json_answer(rewards_document(1, teacher={"version": 3})))
    assert caller.call(service, "rewards", rollouts()).rewards == [1.0]
