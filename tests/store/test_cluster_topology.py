"""Of all that nodes say, the newest claim to a slot counts; and what a URL of a cluster may be."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.store.cluster_topology import Said, View, cluster_at, heard, newest
from reward_service.store.server_lists import Host

A, B, C = (Host("10.0.0.1", port) for port in (7000, 7001, 7002))


def view_of(answers: list[tuple[Host, Said]], *, by_name: bool = False) -> View:
    return newest(*heard(answers, by_name=by_name))


def node(epoch: int, *slots: tuple[int, int], flags: str = "master", hostname: str = "") -> dict[str, Any]:
    """As redis-py reads a line of CLUSTER NODES."""
    ranges = [[str(first)] if first == last else [str(first), str(last)] for first, last in slots]
    return {"flags": flags, "epoch": str(epoch), "slots": ranges, "hostname": hostname}


def test_a_node_that_does_not_know_of_a_failover_is_not_believed() -> None:
    parted = {str(A): node(1, (0, 99), flags="myself,master"), str(B): node(1, flags="slave")}
    others = {str(A): node(1, flags="master,fail"), str(B): node(4, (0, 99)), str(C): node(2, (100, 16383))}
    for answers in ([(A, parted), (C, others)], [(C, others), (A, parted)]):
        view = view_of(answers)
        assert view.owners[0] == view.owners[99] == B
        assert view.owners[100] == C
        assert view.primaries == {B, C}
        assert view.nodes == {A, B, C}


def test_a_primary_that_failed_keeps_its_slots_until_another_has_them() -> None:
    view = view_of([(C, {str(A): node(1, (0, 16383), flags="master,fail")})])
    assert view.primaries == {A}


def test_nodes_without_an_address_are_left_out() -> None:
    view = view_of([(C, {":0": node(9, (0, 5), flags="master,noaddr"), str(A): node(1, (0, 5))})])
    assert view.owners[0] == A
    assert view.owners[6] is None


def test_a_node_that_does_not_know_its_own_address_is_where_it_was_asked() -> None:
    assert view_of([(A, {":7000": node(0, (0, 1))})]).owners[0] == A


def test_by_tls_nodes_go_by_the_names_that_they_announce() -> None:
    answers = [(A, {str(A): node(1, (0, 0), hostname="a.store"), str(B): node(1, (1, 1)), "::1:7002": node(1, (2, 2))})]
    assert view_of(answers, by_name=True).owners[:3] == (Host("a.store", 7000), B, Host("::1", 7002))
    assert view_of(answers).owners[0] == A


CLAIMS = st.lists(st.tuples(st.sampled_from([A, B, C]), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=6)


@given(st.lists(CLAIMS, min_size=1, max_size=4), st.randoms())
def test_the_order_of_answers_decides_nothing(said: list[list[tuple[Host, int, int]]], chance: random.Random) -> None:
    """Each claim has an epoch of its own, as in a cluster."""
    answers = [
        (
            A,
            {
                str(host): node(100 * epoch + 10 * place + host.port % 10, (first, first + 5))
                for host, epoch, first in some
            },
        )
        for place, some in enumerate(said)
    ]
    view = view_of(answers)
    again = chance.sample(answers, len(answers))
    assert view_of(again) == view
    claims, _ = heard(answers, by_name=False)
    for slot, owner in enumerate(view.owners[:30]):
        of_slot = [each for each in claims if any(first <= slot <= last for first, last in each.ranges)]
        assert owner == (max(of_slot).node if of_slot else None)


def test_the_parts_of_a_url() -> None:
    address = cluster_at("rediss+cluster://user:p%40ss@one:1,[::1],two?ssl_cert_reqs=none")
    assert address.hosts == (("one", 1), ("::1", 6379), ("two", 6379))
    assert address.options == {"username": "user", "password": "p@ss", "ssl_cert_reqs": "none"}
    assert address.by_name
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize(
    "url", ["redis+cluster://", "redis+cluster://h:0", "redis+cluster://h:1,,g:2", "redis+cluster://h,g/3"]
)
def test_what_is_no_url_of_a_cluster(url: str) -> None:
    with pytest.raises(ValueError, match=r"write redis\+cluster://HOST:PORT,HOST:PORT"):
        cluster_at(url)
