"""What a stranger may take of the service before a key is looked at: bytes, time and connections."""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from reward_service.serving.supervisor import Supervisor
from tests.support.service import pair, running
from tests.support.waiting import wait_until

KEY = {"authorization": "Bearer secret"}
TIMEOUT_S = 2.0
MOST_CONNECTIONS = 100
MOST_SENT_BYTES = 64 * 2**20
POST = b"POST /v1/rewards HTTP/1.1\r\nhost: x\r\nauthorization: Bearer secret\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    with running(
        api_keys=["secret"],
        weights_root=tmp_path_factory.mktemp("weights"),
        header_timeout_s=TIMEOUT_S,
        body_timeout_s=TIMEOUT_S,
        keep_alive_s=1,
        max_connections=MOST_CONNECTIONS,
    ) as supervisor:
        yield supervisor


def connected(service: Supervisor, sent: bytes = b"") -> socket.socket:
    """A connection, on which this was sent."""
    url = urlsplit(service.url)
    raw = socket.create_connection((url.hostname, url.port), timeout=30.0)
    raw.sendall(sent)
    return raw


def all_of(raw: socket.socket) -> bytes:
    """What comes until the connection is closed; fails where it is not."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while block := raw.recv(2**16):
            answer += block
    return answer


def poured(raw: socket.socket, unit: bytes) -> int:
    """How many bytes the other side takes of something without an end, until it closes."""
    block = unit * max(1, 2**16 // len(unit))
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < MOST_SENT_BYTES:
            raw.sendall(block)
            sent += len(block)
    return sent


def closed(service: Supervisor, reason: str) -> float:
    """How many connections were closed for a reason."""
    text = httpx.get(f"{service.url}/metrics", headers=KEY).text
    found = re.search(rf'^co_rewarding_connections_closed_total{{reason="{reason}"}} (\S+)$', text, re.MULTILINE)
    return 0.0 if found is None else float(found[1])


def grown(service: Supervisor, act: Callable[[], None]) -> int:
    """By how many bytes the API process grows at most meanwhile."""
    (pid,) = service.pids("api")
    process = Path(f"/proc/{pid}")

    def resident(which: str) -> int:
        lines = (process / "status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(which))

    (process / "clear_refs").write_text("5")
    before = resident("VmRSS")
    act()
    return resident("VmHWM") - before


ENDLESS: dict[str, tuple[bytes, bytes, str]] = {
    "lines": (b"GET / HTTP/1.1\r\n", b"a: b\r\n", "headers"),
    "one value": (b"GET / HTTP/1.1\r\na: ", b"x", "headers"),
    "one name": (b"GET / HTTP/1.1\r\n", b"x", "headers"),
    "a URL": (b"GET /", b"x", "url"),
    "a query": (b"GET /?", b"x=y&", "url"),
    "folded lines": (b"GET / HTTP/1.1\r\na: b\r\n", b" c\r\n", "malformed"),
    "a method": (b"", b"G", "malformed"),
    "a chunk's extension": (POST + b"transfer-encoding: chunked\r\n\r\n1;", b"x", "chunking"),
    "chunks of a byte with extensions": (
        POST + b"transfer-encoding: chunked\r\n\r\n",
        b"1;abcdefghij=k\r\nx\r\n",
        "chunking",
    ),
    "trailers": (POST + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n", "chunking"),
    "requests": (b"", b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n", "pipelined"),
    "a body without a key": (b"POST /v1/rewards HTTP/1.1\r\ncontent-length: 100000000000\r\n\r\n", b"x", "unread-body"),
}
"""How each begins, what it repeats without an end, and why it is closed."""


@pytest.mark.parametrize("name", ENDLESS)
def test_what_has_no_end_is_closed_before_it_takes_memory(service: Supervisor, name: str) -> None:
    head, unit, reason = ENDLESS[name]
    before = closed(service, reason)

    def pour() -> None:
        with connected(service, head) as raw:
            assert poured(raw, unit) < MOST_SENT_BYTES

    assert grown(service, pour) < 24 * 2**20
    wait_until(lambda: closed(service, reason) > before)


def test_too_large_a_head_is_answered(service: Supervisor) -> None:
    url = service.url
    assert httpx.get(f"{url}/{'x' * 17_000}", headers=KEY).status_code == 414
    assert httpx.get(url, headers={"x": "y" * 70_000}).status_code == 431
    assert httpx.get(url, headers=[("x", "y")] * 200).status_code == 431
    problem = httpx.get(url, headers=[("x", "y")] * 200).json()
    assert "CO_REWARDING_MAX_HEADERS" in problem["detail"]
    assert httpx.get(f"{url}/health", headers={"x": "y" * 30_000}).status_code == 200
    assert httpx.get(f"{url}/health?{'x' * 15_000}", headers=[("x", "y")] * 50).status_code == 200


@pytest.mark.parametrize("first", [1, 30_000, 60_000, 69_000])
def test_too_large_a_head_is_answered_in_whatever_pieces_it_comes(service: Supervisor, first: int) -> None:
    head = b"GET /health HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 70_000 + b"\r\n\r\n"
    with connected(service, head[:first]) as raw:
        assert httpx.get(f"{service.url}/health").status_code == 200  # the first piece was read before
        raw.sendall(head[first:])
        assert all_of(raw).startswith(b"HTTP/1.1 431")


STALLED: dict[str, tuple[bytes, bytes, str]] = {
    "silence": (b"", b"", "slow-head"),
    "half a head": (b"GET / HTTP/1.1\r\nhost: x\r\n", b"408", "slow-head"),
    "an empty line": (b"\r\n", b"408", "slow-head"),
    "no body": (POST + b"content-length: 10\r\n\r\n", b"408", "slow-body"),
    "no body after Expect": (POST + b"expect: 100-continue\r\ncontent-length: 10\r\n\r\n", b"408", "slow-body"),
    "no chunk": (POST + b"transfer-encoding: chunked\r\n\r\n5\r\n{", b"408", "slow-body"),
    "no second request": (b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n", b"200", "idle"),
}
"""What is sent, how it is answered, and why it is closed."""


@pytest.mark.parametrize("name", STALLED)
def test_what_stalls_is_closed(service: Supervisor, name: str) -> None:
    sent, status, reason = STALLED[name]
    before = closed(service, reason)
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(connected(service, sent)) for _ in range(20)]
        for raw in several:
            assert status in all_of(raw)
    wait_until(lambda: closed(service, reason) >= before + len(several))


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\nx: ", POST + b"content-length: 100000\r\n\r\n"], ids=["head", "body"]
)
def test_what_drips_is_closed(service: Supervisor, sent: bytes) -> None:
    with connected(service, sent) as raw, contextlib.suppress(ConnectionError):
        raw.settimeout(0.1)
        for _ in range(300):
            raw.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                assert b"408" in raw.recv(2**16)
                return
        pytest.fail("it goes on for ever")


def test_a_body_that_makes_progress_may_take_its_time(service: Supervisor) -> None:
    piece = b" " * 4096
    head = POST + b"content-length: %d\r\n\r\n" % (20 * len(piece) + 2)
    with connected(service, head) as raw:
        until_s = time.monotonic() + 4 * TIMEOUT_S
        for n in range(20):
            raw.sendall(piece)
            wait_until(lambda n=n: time.monotonic() > until_s - 4 * TIMEOUT_S * (19 - n) / 20)
        raw.sendall(b"{}")
        assert b"HTTP/1.1 422" in raw.recv(2**16)


def test_an_answer_may_take_its_time(service: Supervisor) -> None:
    rollouts = pair("slow", ["4"], ["4"])
    sending = {"run": "default", "step": 1, "complete": False, "wait_s": 4 * TIMEOUT_S, "rollouts": rollouts[:1]}
    began_s = time.monotonic()
    answer = httpx.post(f"{service.url}/v1/rewards", json=sending, headers=KEY, timeout=60.0)
    assert answer.status_code == 202
    assert time.monotonic() - began_s > 3 * TIMEOUT_S


def test_connections_beyond_the_limit_are_told_to_come_again(service: Supervisor) -> None:
    before = closed(service, "connections")
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(connected(service)) for _ in range(MOST_CONNECTIONS + 20)]
        refused = [all_of(raw) for raw in several[-10:]]
    assert all(each.startswith(b"HTTP/1.1 503") and b"retry-after: 1" in each for each in refused)
    wait_until(lambda: httpx.get(f"{service.url}/health").status_code == 200)
    assert closed(service, "connections") >= before + 10


def test_requests_in_one_go_are_answered_in_order(service: Supervisor) -> None:
    one, last = b"GET /health HTTP/1.1\r\nhost: x\r\n", b"GET /version HTTP/1.0\r\nhost: x\r\n\r\n"
    with connected(service, (one + b"\r\n") * 20 + last) as raw:
        answers = all_of(raw)
    assert answers.count(b"HTTP/1.1 200") == 21
    assert answers.index(b'"alive"') < answers.index(b'"version"')


def test_an_upgrade_is_answered_as_a_request_and_closed(service: Supervisor) -> None:
    upgrade = b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13\r\n\r\n"
    with connected(service, b"GET /health HTTP/1.1\r\nhost: x\r\n" + upgrade + b"\x81\x01x") as raw:
        answer = all_of(raw)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer
