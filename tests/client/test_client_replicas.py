"""Several addresses of one service: a call that failed at one is made at another, and later calls go there."""

import asyncio
import importlib.util
from collections.abc import Callable

import httpx
import pytest
from client_world import FakeTime
from co_rewarding_client import AsyncRewardClient, InvalidRequest, RewardClient, ServiceUnavailable, address
from co_rewarding_client.decoding import HttpReply
from co_rewarding_client.flow import TransportFailure
from co_rewarding_client.replicas import Replicas

A, B, C = "http://a:1", "http://b:2", "http://c:3"
CUT = TransportFailure(httpx.ConnectError("refused"))


def reply(status: int) -> HttpReply:
    return HttpReply(status, {}, b"")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (A, A),
        ("https://x:KEY@a:1/mounted", "https://a:1/mounted"),
        ("http://x:K@Y@a:1", "http://a:1"),
        ("http://x:KEY@a:1,http://x:KEY@b:2", "http://a:1,http://b:2"),
        ("ray://co-rewarding", "ray://co-rewarding"),
    ],
)
def test_an_address_is_shown_without_its_key(given: str, shown: str):
    assert address.shown_url(given) == shown


class Hosts:
    """A service behind httpx, of which each host answers with a status, or not at all (None)."""

    def __init__(self, **statuses: int | None) -> None:
        self.statuses = statuses
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        self.asked.append(host)
        status = self.statuses[host]
        if status is None:
            raise httpx.ConnectError("refused")
        return httpx.Response(status, json={"version": "1", "methods": []})


def version(hosts: Hosts, calls: int = 1, *, patience_s: float = 900.0, use_async: bool) -> None:
    time, url = FakeTime(), f"{A}, {B}"
    if not use_async:
        with RewardClient(
            url, patience_s=patience_s, transport=httpx.MockTransport(hosts), surroundings=time.surroundings(),
            sleep=time.sleep,
        ) as client:  # fmt: skip
            for _ in range(calls):
                client.version()
        return

    async def asked() -> None:
        async with AsyncRewardClient(
            url, patience_s=patience_s, transport=httpx.MockTransport(hosts), surroundings=time.surroundings(),
            sleep=time.sleep_async,
        ) as client:  # fmt: skip
            for _ in range(calls):
                await client.version()

    asyncio.run(asked())


@pytest.mark.parametrize("use_async", [False, True])
@pytest.mark.parametrize("status", [None, 502, 503, 504])
def test_a_call_that_failed_is_made_at_the_next_address_and_later_ones_go_there(status: int | None, use_async: bool):
    hosts = Hosts(a=status, b=200)
    version(hosts, 3, use_async=use_async)
    assert hosts.asked == ["a", "b", "b", "b"]


@pytest.mark.parametrize("use_async", [False, True])
def test_the_first_address_is_used_while_it_answers(use_async: bool):
    hosts = Hosts(a=200, b=None)
    version(hosts, 3, use_async=use_async)
    assert hosts.asked == ["a", "a", "a"]


@pytest.mark.parametrize("use_async", [False, True])
def test_where_none_answers_all_are_tried_in_turn_until_patience_is_over(use_async: bool):
    hosts = Hosts(a=None, b=503)
    with pytest.raises(ServiceUnavailable):
        version(hosts, patience_s=2.0, use_async=use_async)
    assert hosts.asked[:4] == ["a", "b", "a", "b"]


def test_too_many_requests_are_no_reason_to_ask_another():
    replicas = Replicas([A, B])
    assert not replicas.heed(A, reply(429))
    assert replicas.url == A


def test_calls_that_failed_together_are_one_failure():
    replicas = Replicas([A, B, C])
    for _ in range(10):
        replicas.heed(A, CUT)
    assert replicas.url == B


def test_addresses_are_looked_for_again_when_all_have_failed():
    found: list[list[str]] = [[], [C]]
    replicas = Replicas([A, B], look_again=lambda: found.pop(0))
    assert [replicas.heed(A, CUT), replicas.heed(B, CUT)] == [False, True]
    replicas.renew()  # nothing is found: they stay
    assert replicas.url == A
    assert replicas.heed(A, CUT)
    replicas.renew()
    assert replicas.url == C
    assert not replicas.heed(C, reply(200))


def test_an_answer_in_between_is_no_failure_of_all():
    replicas = Replicas([A, B], look_again=lambda: [C])
    outcomes: list[Callable[[], bool]] = [
        lambda: replicas.heed(A, CUT), lambda: replicas.heed(B, reply(200)), lambda: replicas.heed(B, CUT),
    ]  # fmt: skip
    assert [heed() for heed in outcomes] == [False, False, False]
    assert replicas.heed(A, CUT)


def test_urls_are_parted_at_commas_and_a_password_may_hold_one():
    parsed = address.parse("http://x:k@a:1, http://x:k@b:2/below", None)
    assert (parsed.url, parsed.others, parsed.credentials) == (A, ("http://b:2/below",), ("x", "k"))
    alone = address.parse("http://x:k,l@a:1", None)
    assert (alone.url, alone.others, alone.credentials) == (A, (), ("x", "k,l"))


def test_replicas_have_one_key():
    with pytest.raises(InvalidRequest, match="replicas of one service"):
        RewardClient("http://x:k@a:1,http://b:2")


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed here")
def test_a_name_on_ray_needs_ray():
    with pytest.raises(InvalidRequest, match="pip install ray"):
        RewardClient("ray://co-rewarding")


def test_the_address_of_a_cluster_is_no_name_of_a_service():
    with pytest.raises(InvalidRequest, match="RAY_ADDRESS"):
        RewardClient("ray://head:10001")
