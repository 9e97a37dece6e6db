"""Callers pay for what is let in and for nothing else, and a request that cannot be let in is read once."""

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.api.access.callers import Caller
from reward_service.api.access.keyring import Keyring
from reward_service.api.http.problems import Problem
from reward_service.domain.access import AccessList, Grant, Quotas, Rate, RunQuotas, digest_of

BURST = 100
KEY = b"a-key"
HEADERS = [(b"authorization", b"Bearer " + KEY)]
SLOW = Rate(1e-9, BURST)


def ring(quotas: Quotas, *runs: RunQuotas, name: str = "a") -> Keyring:
    return Keyring(AccessList({digest_of(KEY): Grant(name, quotas=quotas)}, runs))


def sent(caller: Caller, rollouts: int, request_bytes: int = 10, run: str = "r") -> str:
    """How far a batch comes: to its head, to its body, or in."""
    try:
        caller.charge_head(1, request_bytes)
    except Problem:
        return "head"
    try:
        caller.charge({run: rollouts}, request_bytes, None)
    except Problem:
        return "body"
    return "in"


@given(st.lists(st.tuples(st.integers(1, 80), st.integers(1, 1000)), max_size=60))
def test_no_more_is_let_in_than_there_is_and_a_refusal_costs_nothing(batches: list[tuple[int, int]]) -> None:
    caller = ring(Quotas(rollouts=SLOW)).caller(HEADERS)
    left = BURST
    for rollouts, request_bytes in batches:
        how = sent(caller, rollouts, request_bytes)
        assert how != "in" or rollouts <= left
        if how == "in":
            left -= rollouts
    assert sent(caller, left, 0) == ("in" if left else "head")


def test_a_request_that_cannot_be_let_in_is_read_once() -> None:
    caller = ring(Quotas(rollouts=SLOW)).caller(HEADERS)
    assert sent(caller, 50) == "in"
    assert [sent(caller, 64, 1000) for _ in range(3)] == ["body", "head", "head"]
    assert sent(caller, 64, 1001) == "head"
    assert sent(caller, 50, 900) == "in", "a smaller one is read, and let in"


def test_one_that_is_larger_than_the_burst_needs_a_full_bucket() -> None:
    caller = ring(Quotas(rollouts=SLOW)).caller(HEADERS)
    assert sent(caller, 10 * BURST) == "in"
    assert sent(caller, 1) == "head"


def test_a_refusal_for_a_run_costs_the_key_nothing() -> None:
    made = ring(Quotas(rollouts=SLOW), RunQuotas("r", Quotas(rollouts=Rate(1e-9, 10))))
    caller = made.caller(HEADERS)
    assert sent(caller, 10) == "in"
    assert [sent(caller, 10) for _ in range(5)] == ["body"] * 5
    assert sent(caller, BURST - 10, run="other") == "in"


def test_use_stays_over_a_change_of_the_file() -> None:
    made = ring(Quotas(rollouts=SLOW))
    assert sent(made.caller(HEADERS), 90) == "in"
    made.replace(AccessList({digest_of(b"its-next-key"): Grant("a", quotas=Quotas(rollouts=Rate(1e-9, BURST + 5)))}))
    with pytest.raises(Problem, match="not one of the service's"):
        made.caller(HEADERS)
    caller = made.caller([(b"authorization", b"Bearer its-next-key")])
    assert [sent(caller, 16, 10), sent(caller, 15, 9), sent(caller, 1, 1)] == ["body", "in", "head"]


def test_a_key_that_everything_is_open_to_is_not_looked_at() -> None:
    assert not ring(Quotas()).caller(HEADERS).is_bounded
    assert ring(Quotas(), RunQuotas("r", Quotas(open_cohorts=1))).caller(HEADERS).is_bounded
    assert not Keyring(AccessList()).caller([]).is_bounded


def test_many_headers_of_one_key_are_one_caller() -> None:
    made = ring(Quotas())
    spaces = itertools.islice(itertools.count(1), 5000)
    assert {made.caller([(b"authorization", b"Bearer" + b" " * n + KEY)]) for n in spaces} == {made.caller(HEADERS)}


def test_long_headers_of_one_key_are_not_kept() -> None:
    """Else a caller could fill hundreds of megabytes with headers of 64 KiB."""
    made = ring(Quotas())
    tracemalloc.start()
    try:
        for n in range(10_000, 11_000):
            assert made.caller([(b"authorization", b"Bearer" + b" " * n + KEY)]).key == "a"
        assert tracemalloc.get_traced_memory()[0] < 2**20
    finally:
        tracemalloc.stop()


def test_a_request_whose_client_has_left_before_its_rollouts_were_read_is_held_by_nobody() -> None:
    """Its stay has ended when the runs of the body are known: nobody would end what it began then."""
    made = ring(Quotas(held_requests=1), RunQuotas("r", Quotas(held_requests=1)))
    caller = made.caller(HEADERS)
    for _ in range(3):
        caller.charge_head(1, 10)
        stay = caller.begin()
        assert stay is not None
        stay.end()
        caller.charge({"r": 1}, 10, stay)
        caller.charge_one(caller.check_one("r", 10), 10, stay)
