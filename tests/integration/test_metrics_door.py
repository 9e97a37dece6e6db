"""The metrics' door of processes without an API: what stalls there is closed, and whoever scrapes gets in again."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from reward_service.process_metrics import MOST_SCRAPES, expose
from tests.support.waiting import wait_until

WITHIN_S = 1.0


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    registry = CollectorRegistry()
    Counter("seen", "Something.", registry=registry).inc()
    end = expose(registry, "127.0.0.1", port, within_s=WITHIN_S)
    yield port
    end()


def scraped(port: int) -> bool:
    try:
        return "seen_total 1.0" in httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5.0).text
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("sent", [b"", b"GET /metrics HTTP/1.1\r\nx: "])
def test_what_stalls_or_drips_keeps_nobody_out(port: int, sent: bytes) -> None:
    assert scraped(port)
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        several = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10.0))
            for _ in range(3 * MOST_SCRAPES)
        ]
        for raw in several:
            raw.settimeout(0.05)
            with contextlib.suppress(ConnectionError):
                raw.sendall(sent)
        assert threading.active_count() <= before + 2 * MOST_SCRAPES
        alive = set(several)

        def dripped() -> bool:
            for raw in tuple(alive):
                try:
                    raw.sendall(b"x" if sent else b"")
                    if not raw.recv(1):
                        alive.discard(raw)
                except TimeoutError:
                    continue
                except OSError:
                    alive.discard(raw)
            return not alive

        wait_until(dripped, timeout_s=60.0)
    wait_until(lambda: scraped(port))
