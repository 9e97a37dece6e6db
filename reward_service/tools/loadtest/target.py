"""Decide where a load test may go: this machine, or the network of the containers."""

import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from reward_service.errors import SettingsError

IN_A_CONTAINER = Path("/.dockerenv")


def check_target(url: str) -> None:
    """Refuses a service that is elsewhere: a load test is an attack on whoever did not ask for it.

    Raises:
        SettingsError: the host cannot be resolved, or one of its addresses is not allowed.
    """
    host = urlsplit(url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as cause:
        raise SettingsError(f"the load test's service {host!r} is not known: {cause}") from cause
    networks = attached_networks() if IN_A_CONTAINER.exists() else own_addresses()
    outside = sorted({str(entry[4][0]) for entry in found if not allowed(str(entry[4][0]), networks)})
    if outside:
        raise SettingsError(
            f"{host!r} is at {', '.join(outside)}, and a load test goes only to this machine, or from a container to "
            "the network that it is in: run it where the service is"
        )


def allowed(address: str, networks: Sequence[ipaddress.IPv4Network]) -> bool:
    """Whether an address is loopback, or private and in one of these networks."""
    ip = ipaddress.ip_address(address)
    return ip.is_loopback or (ip.is_private and any(ip in network for network in networks))


def attached_networks() -> list[ipaddress.IPv4Network]:
    """The IPv4 networks of this machine's interfaces."""
    return [ipaddress.IPv4Network(f"{address}/{mask}", strict=False) for address, mask in _interfaces() if mask]


def own_addresses() -> list[ipaddress.IPv4Network]:
    """This machine's IPv4 addresses, each as a network of one: where a node's replica on Ray listens."""
    return [ipaddress.IPv4Network(address) for address, _ in _interfaces()]


def _interfaces() -> list[tuple[str, str | None]]:
    some = (entry for each in psutil.net_if_addrs().values() for entry in each)
    return [(entry.address, entry.netmask) for entry in some if entry.family == socket.AF_INET]
