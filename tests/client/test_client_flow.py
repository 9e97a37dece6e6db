"""The core without httpx: retries, patience, Retry-After, tickets."""

import ast
import json
import math
import os
import random
import subprocess
import sys
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import co_rewarding_client
import pytest
from client_world import EPOCH_S, FakeTime, Trace, reply, rewards_document, rollouts, run_flow, script, told
from co_rewarding_client import (
    InvalidRequest,
    Pending,
    ProblemError,
    Rewards,
    ServiceUnavailable,
    StillPending,
    Surroundings,
)
from co_rewarding_client.calls import POLL_INTERVAL_S, Calls
from co_rewarding_client.decoding import HttpReply
from co_rewarding_client.encoding import HttpRequest
from co_rewarding_client.flow import (
    BACKOFF_LONGEST_S,
    RETRY_AFTER_LONGEST_S,
    Outcome,
    Send,
    TransportFailure,
    begin,
    exchange,
    retry_after_s,
)
from co_rewarding_client.unanswered import UnansweredKeys
from hypothesis import given, settings
from hypothesis import strategies as st

TROUBLES = st.one_of(
    st.builds(TransportFailure, st.sampled_from([TimeoutError("read"), ConnectionError("refused\n by \x1b[31mpeer")])),
    st.builds(
        lambda status, wait: reply(status, {"title": "away"}, {} if wait is None else {"retry-after": str(wait)}),
        st.sampled_from([429, 502, 503, 504]),
        st.none() | st.integers(0, 90),
    ),
)
SETTLED = reply(200, rewards_document())
PENDING = reply(202, {"ticket": "t", "settled": 3, "of": 8})


def calls(time: FakeTime, patience_s: float = 60.0) -> Calls:
    return Calls("http://service", "default", 5.0, patience_s, time.surroundings())


def rewards_flow(time: FakeTime, patience_s: float, wait_s: float = 30.0, size: int = 1):
    return calls(time, patience_s).rewards(
        rollouts(size), step=3, method=None, complete=True, wait_s=wait_s, idempotency_key=None
    )


def test_both_halves_say_what_is_an_evaluation():
    client = calls(FakeTime())
    for call in (client.rewards, client.submit):
        first = next(call(rollouts(1), evaluate=True))
        assert isinstance(first, Send)
        assert json.loads(first.request.body or b"")["evaluate"] is True


def asked_s(outcome: Outcome) -> float:
    value = outcome.headers.get("retry-after", "0") if isinstance(outcome, HttpReply) else "0"
    return min(float(value), RETRY_AFTER_LONGEST_S)


@given(
    troubles=st.lists(TROUBLES, min_size=1, max_size=12),
    takes_s=st.floats(0.0, 20.0),
    patience_s=st.floats(0.0, 200.0),
    jitter=st.floats(0.0, 1.0, exclude_max=True),
)
@settings(max_examples=150)
def test_passing_troubles_are_retried_until_patience_is_over(troubles, takes_s, patience_s, jitter):
    time, trace, met = FakeTime(jitter=jitter), Trace(), []
    given_in_turn = iter(troubles)

    def answer(_send: Send) -> Outcome:
        met.append(next(given_in_turn, SETTLED))
        time.pass_s(takes_s)
        return met[-1]

    began = time.now_s
    value = told(lambda: run_flow(rewards_flow(time, patience_s), time, answer, trace))
    if isinstance(value, ServiceUnavailable):
        left_s = began + patience_s - time.now_s
        assert left_s <= 0 or asked_s(met[-1]) > left_s, "gave up while there was time"
        cause = value.__cause__
        assert cause.status == met[-1].status if isinstance(cause, ProblemError) else cause is met[-1].cause
    else:
        assert isinstance(value, Rewards)
        assert met == [*troubles, SETTLED]

    assert all(at <= began + patience_s + 1e-9 for at, _ in trace.sends), "a try began after patience was over"
    assert len({id(send.request) for _, send in trace.sends}) == 1, "a retry differs from the first try"
    assert trace.sends[0][1].request.headers["idempotency-key"] == "key-1"
    assert time.keys == 1
    for tries, ((at, pause), outcome) in enumerate(zip(trace.pauses, met, strict=False), start=1):
        backoff_s = jitter * min(BACKOFF_LONGEST_S, 0.25 * 2 ** (tries - 1))
        assert pause.seconds >= asked_s(outcome), "came back before the service asked it to"
        assert pause.seconds == pytest.approx(min(asked_s(outcome) + backoff_s, began + patience_s - at))
        assert pause.reason.isprintable()
        assert "POST /v1/rewards" in pause.reason


@given(status=st.integers(200, 599).filter(lambda status: status not in {429, 502, 503, 504}))
def test_any_other_status_is_an_answer_at_once(status):
    time, trace = FakeTime(), Trace()
    patience = begin(5.0, 60.0, time.surroundings(), "http://service")
    outcome = run_flow(exchange(HttpRequest("GET", "/version"), patience), time, script([reply(status)]), trace)
    assert outcome.status == status
    assert len(trace.sends) == 1
    assert not trace.pauses


def test_the_backoff_doubles_up_to_its_longest():
    time, trace = FakeTime(jitter=1.0), Trace()
    patience = begin(5.0, 1000.0, time.surroundings(), "http://service")
    answers = script([*[TransportFailure(ConnectionError())] * 9, reply(200)])
    run_flow(exchange(HttpRequest("GET", "/version"), patience), time, answers, trace)
    assert [pause.seconds for _, pause in trace.pauses] == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15]


def test_patience_may_be_endless():
    time, trace = FakeTime(), Trace()
    patience = begin(5.0, math.inf, time.surroundings(), "http://service")
    answers = script([*[TransportFailure(ConnectionError())] * 1100, reply(200)])
    run_flow(exchange(HttpRequest("GET", "/version"), patience), time, answers, trace)
    assert len(trace.sends) == 1101


def test_without_patience_there_is_one_try():
    time, trace = FakeTime(), Trace()
    with pytest.raises(
        ServiceUnavailable,
        match=r"GET /version at http://service failed, try 1: ConnectionError: refused.*patience of 0 s",
    ):
        run_flow(calls(time, 0.0).version(), time, script([TransportFailure(ConnectionError("refused"))]), trace)
    assert not trace.pauses


@pytest.mark.parametrize(("wait_s", "expected_s"), [(30.0, 35.0), (0.0, 5.0), (600.0, 65.0)])
def test_an_answer_that_is_held_back_is_waited_for(wait_s, expected_s):
    time, trace = FakeTime(), Trace()
    run_flow(rewards_flow(time, 60.0, wait_s), time, script([SETTLED]), trace)
    send = trace.sends[0][1]
    assert send.read_timeout_s == expected_s
    assert json.loads(send.request.body or b"")["wait_s"] == expected_s - 5.0


def test_a_late_try_does_not_wait_beyond_patience():
    time, trace = FakeTime(), Trace()

    def answer(_send: Send) -> Outcome:
        time.pass_s(50.0)
        return SETTLED if len(trace.sends) == 2 else TransportFailure(TimeoutError())

    run_flow(rewards_flow(time, 60.0, 30.0), time, answer, trace)
    began, send = trace.sends[1]
    assert send.read_timeout_s == pytest.approx(1060.0 - began + 5.0)


@given(
    wait_s=st.floats(0.0, 40.0),
    held_s=st.floats(0.0, 40.0),
    patience_s=st.floats(0.0, 120.0),
    polls=st.integers(0, 30),
)
@settings(max_examples=150)
def test_a_ticket_is_polled_until_it_is_settled_or_patience_is_over(wait_s, held_s, patience_s, polls):
    time, trace = FakeTime(), Trace()
    began = time.now_s

    def answer(send: Send) -> Outcome:
        time.pass_s(min(held_s, send.request.wait_s))
        return PENDING if len(trace.sends) <= polls else SETTLED

    value = told(lambda: run_flow(calls(time, patience_s).collect("t", wait_s=wait_s), time, answer, trace))
    if isinstance(value, StillPending):
        assert time.now_s >= began + patience_s
        assert (value.ticket, value.settled, value.of) == ("t", 3, 8)
    else:
        assert isinstance(value, Rewards)
        assert len(trace.sends) == polls + 1

    starts = [at for at, _ in trace.sends]
    for at, send in trace.sends:
        assert send.request.wait_s <= wait_s
        assert send.request.wait_s == pytest.approx(min(wait_s, began + patience_s - at), abs=1e-6)
    for before, after in pairwise(starts):
        due = min(before + POLL_INTERVAL_S, began + patience_s)
        assert after >= due - 1e-6, "polled in a tight loop"
        assert after <= max(due, before + held_s) + 1e-6, "paused although the answer had been held back"


def test_a_202_is_followed_by_its_ticket_within_the_same_patience():
    time, trace = FakeTime(), Trace()

    def answer(_send: Send) -> Outcome:
        time.pass_s(25.0)
        return PENDING

    with pytest.raises(StillPending, match=r"ticket t .*60 s \(3 of 8 are\)"):
        run_flow(rewards_flow(time, 60.0, 25.0), time, answer, trace)
    assert [send.request.method for _, send in trace.sends] == ["POST", "GET", "GET"]
    assert time.now_s == 1000.0 + 75.0


def test_trouble_while_polling_is_retried():
    time, trace = FakeTime(), Trace()
    answers = script([PENDING, reply(503), TransportFailure(ConnectionError()), PENDING, SETTLED])
    assert isinstance(run_flow(rewards_flow(time, 60.0, 0.0), time, answers, trace), Rewards)


def test_poll_asks_once():
    time = FakeTime()
    value = run_flow(calls(time).poll("t", wait_s=0.0), time, script([PENDING]), Trace())
    assert value == Pending(ticket="t", settled=3, of=8)


def date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(EPOCH_S + seconds, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "expected_s"),
    [
        ({}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "86400"}, RETRY_AFTER_LONGEST_S),
        ({"retry-after": "9" * 400}, RETRY_AFTER_LONGEST_S),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "Mon, 01 Jan 2024 00:00:00 +" + "9" * 20}, 0.0),
        ({"retry-after": date(12)}, 12.0),
        ({"retry-after": date(-12)}, 0.0),
        ({"retry-after": date(7200)}, RETRY_AFTER_LONGEST_S),
        # The service's clock is an hour ahead of ours: what counts is the difference it meant.
        ({"retry-after": date(3609), "date": date(3600)}, 9.0),
        ({"retry-after": date(12), "date": "not a date"}, 12.0),
    ],
)
def test_retry_after(headers, expected_s):
    assert retry_after_s(reply(503, headers=headers), lambda: EPOCH_S) == expected_s


def test_a_date_without_a_zone_is_not_local_time():
    """The old asctime form, which RFC 9110 still wants read; in a process of its own, for the zone is a process's."""
    code = (
        "from co_rewarding_client.decoding import HttpReply; from co_rewarding_client.flow import retry_after_s\n"
        "headers = {'retry-after': 'Sun Nov  6 08:49:40 1994', 'date': 'Sun, 06 Nov 1994 08:49:37 GMT'}\n"
        "print(retry_after_s(HttpReply(503, headers, b''), lambda: 0.0))"
    )
    zone = {**os.environ, "TZ": "America/New_York"}
    result = subprocess.run([sys.executable, "-c", code], env=zone, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "3.0"


@given(value=st.text(max_size=40), now=st.text(max_size=40))
def test_retry_after_makes_something_of_anything(value, now):
    outcome = reply(503, headers={"retry-after": value, "date": now})
    assert 0.0 <= retry_after_s(outcome, lambda: EPOCH_S) <= RETRY_AFTER_LONGEST_S


@pytest.mark.parametrize(
    ("timeout_s", "patience_s"), [(0.0, 1.0), (-1.0, 1.0), (math.nan, 1.0), (1.0, -1.0), (1.0, math.nan)]
)
def test_durations_that_are_none_are_refused(timeout_s, patience_s):
    with pytest.raises(InvalidRequest):
        Calls("http://service", "default", timeout_s, patience_s)


def test_chance_is_not_the_trainers_seeded_generator():
    random.seed(1)
    first, state = Surroundings().jitter(), random.getstate()
    random.seed(1)
    assert Surroundings().jitter() != first
    assert random.getstate() == state
    assert Surroundings().new_key() != Surroundings().new_key()


def test_httpx_and_aiohttp_are_imported_where_requests_are_sent_and_nothing_else_from_outside():
    importers: dict[str, set[str]] = {}
    for path in Path(co_rewarding_client.__file__).parent.glob("*.py"):
        source = path.read_text()
        if source.startswith("# pyright: basic, reportMissingImports"):
            continue  # an adapter, which imports its framework
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                importers.setdefault(name.split(".")[0], set()).add(path.name)
    assert importers.pop("httpx") == {"transport.py", "aiohttp_connection.py"}
    assert importers.pop("aiohttp") == importers.pop("yarl") == {"aiohttp_connection.py"}
    assert importers.pop("pyarrow", {"slime_data.py"}) == {"slime_data.py"}  # only where a file of parquet is asked for
    importers.pop("msgspec")
    assert importers.keys() - {"co_rewarding_client", "co_rewarding_schema"} <= sys.stdlib_module_names


def keys_of(*answers: list[Outcome], part: bool = True) -> list[str]:
    """The key of each of some equal calls, made one after the other by one client."""
    time, keys = FakeTime(), []
    made = calls(time, patience_s=0.0)
    for outcomes in answers:
        trace = Trace()
        flow = made.submit(rollouts(1), step=3, method=None, complete=not part, idempotency_key=None)
        told(lambda flow=flow, outcomes=outcomes, trace=trace: run_flow(flow, time, script(outcomes), trace))
        keys.append(trace.sends[0][1].request.headers["idempotency-key"])
    return keys


ACCEPTED = reply(202, {"ticket": "t", "expires_at": "2026-01-02T03:04:05Z"})
CUT = TransportFailure(ConnectionError("cut"))


def test_a_call_that_went_without_an_answer_is_repeated_under_its_key():
    """The service may have taken it: under another key its rollouts without an index would vote again."""
    assert keys_of([CUT], [CUT], [ACCEPTED], [ACCEPTED]) == ["key-1", "key-1", "key-1", "key-2"]
    assert keys_of([ACCEPTED], [ACCEPTED], [CUT], [ACCEPTED]) == ["key-1", "key-2", "key-3", "key-3"]


def test_calls_that_are_left_unfinished_keep_their_keys_apart():
    time = FakeTime()
    made = calls(time)
    flows = [made.submit(rollouts(1), step=3, method=None, complete=False, idempotency_key=None) for _ in range(2)]
    begun = [next(flow).request.headers["idempotency-key"] for flow in flows]
    for flow in flows:
        flow.close()
    other = made.submit(rollouts(1), step=4, method=None, complete=False, idempotency_key=None)
    assert next(other).request.headers["idempotency-key"] == "key-3"
    again = [made.submit(rollouts(1), step=3, method=None, complete=False, idempotency_key=None) for _ in range(2)]
    assert {next(flow).request.headers["idempotency-key"] for flow in again} == set(begun) == {"key-1", "key-2"}


def test_what_is_remembered_of_unanswered_calls_is_bounded():
    keys = UnansweredKeys(lambda: "new")
    for number in range(UnansweredKeys.MOST + 5):
        keys.keep({"step": number}, str(number))
    assert [keys.taken({"step": number}) for number in (0, 4, 5)] == [None, None, "5"]
    assert keys.taken({"step": 5}) is None
