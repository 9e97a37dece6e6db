"""Stand between an adapter and the service, and lose, double or refuse what passes."""

import contextlib
import http.client
import itertools
import socket
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from co_rewarding_client.testing.cases import AWAY_S, Wire

Reply = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers, body."""

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class UnrulyWire(ThreadingHTTPServer):
    """A proxy in threads of its own; `url` is where it listens, with the path and credentials of the service's URL."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, service_url: str, wire: Wire) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = urlsplit(service_url)
        self.wire = wire
        self.away_until_s = time.monotonic() + (AWAY_S if wire is Wire.AWAY else 0.0)
        self.numbers = itertools.count(1)
        credentials = f"{self.service.netloc.rpartition('@')[0]}@" if "@" in self.service.netloc else ""
        self.url = f"http://{credentials}127.0.0.1:{self.server_port}{self.service.path}"

    @property
    def is_away(self) -> bool:
        """Whether the service seems to be away."""
        return time.monotonic() < self.away_until_s

    def verify_request(self, request: object, client_address: object) -> bool:
        """Drop a connection while the service is away."""
        return not self.is_away

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: connections break here on purpose."""

    def forwarded(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """Return the service's answer."""
        assert self.service.hostname is not None
        kind = http.client.HTTPSConnection if self.service.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.service.hostname, self.service.port)
        connection.request(method, target, body, headers | {"connection": "close"})
        with connection.getresponse() as response:
            return response.status, response.getheaders(), response.read()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: UnrulyWire  # pyright: ignore[reportIncompatibleVariableOverride]

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        number, wire = next(self.server.numbers), self.server.wire
        if self.server.is_away or (wire is Wire.CUT and number % 6 == 3):
            return self._break()
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
        asked = self.command, self.path, headers, body
        with ThreadPoolExecutor(2) as sending:
            times = 2 if wire is Wire.TWICE else 1
            replies = [sending.submit(self.server.forwarded, *asked) for _ in range(times)]
        status, reply_headers, reply = replies[number % times].result()
        if wire is Wire.CUT and number % 6 == 0:
            return self._break()
        self.send_response_only(status)
        for name, value in reply_headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)
        return None

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass  # the names that the base class calls

    def _break(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@contextlib.contextmanager
def unruly(service_url: str, wire: Wire) -> Generator[str]:
    """Return the URL by which an adapter reaches the service as `wire` says."""
    proxy = UnrulyWire(service_url, wire)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy.url
    finally:
        proxy.shutdown()
        proxy.server_close()
