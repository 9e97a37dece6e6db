"""Where a load test may go."""

import ipaddress

import pytest

from reward_service.errors import SettingsError
from reward_service.tools.loadtest.arrivals import Traffic
from reward_service.tools.loadtest.command import LoadTest, run_loadtest
from reward_service.tools.loadtest.target import allowed, attached_networks, check_target, own_addresses

COMPOSE = [ipaddress.IPv4Network("172.20.0.0/16"), ipaddress.IPv4Network("8.8.0.0/16")]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:1", "http://[::1]:8000/x"])
def test_loopback_is_allowed(url: str):
    check_target(url)


@pytest.mark.parametrize("url", ["http://93.184.215.14", "http://10.1.2.3:8000", "http://0.0.0.0.example.invalid"])
def test_elsewhere_is_refused_before_anything_is_sent(url: str):
    with pytest.raises(SettingsError):
        run_loadtest(LoadTest(url, Traffic(1, 1)))


@pytest.mark.parametrize(
    ("address", "expected"),
    [("172.20.3.4", True), ("127.0.0.2", True), ("172.21.0.1", False), ("8.8.8.8", False), ("10.0.0.1", False)],
)
def test_a_container_may_reach_the_private_network_that_it_is_in(address: str, expected: bool):
    assert allowed(address, COMPOSE) is expected


def test_a_machine_may_load_its_own_addresses_and_not_its_neighbours():
    own = [address for address in own_addresses() if address.network_address.is_private]
    assert own
    for each in own:
        assert allowed(str(each.network_address), own)
        neighbour = ipaddress.IPv4Network(each.network_address + 1)
        assert allowed(str(neighbour.network_address), own) is (neighbour in own or neighbour.is_loopback)


def test_of_several_replicas_the_first_is_where_a_test_goes():
    with pytest.raises(SettingsError, match=r"'93\.184\.215\.14' is at"):
        run_loadtest(LoadTest("http://93.184.215.14,http://127.0.0.1:8000", Traffic(1, 1)))


def test_this_machines_loopback_is_among_its_networks():
    assert ipaddress.IPv4Network("127.0.0.0/8") in attached_networks()


@pytest.mark.parametrize(
    ("traffic", "more", "word"),
    [
        (Traffic(100, 1e9), {}, "3600 s"),
        (Traffic(100, 1), {"most_rollouts": 10**9}, "5,000,000"),
        (Traffic(0, 1), {}, "rate"),
        (Traffic(100, 1, batch=100), {}, "whole questions"),
    ],
)
def test_a_test_is_bounded(traffic: Traffic, more: dict[str, int], word: str):
    with pytest.raises(SettingsError, match=word):
        run_loadtest(LoadTest("http://127.0.0.1:1", traffic, **more))  # type: ignore[arg-type]
