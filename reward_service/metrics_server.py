"""The door where processes without an API show their metrics: few come in at once, and none stays for long."""

import contextlib
import socket
import sys
import threading
from collections.abc import Callable
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from reward_service.errors import SettingsError

MOST_SCRAPES = 16
SCRAPE_S = 10.0


def expose(registry: CollectorRegistry, host: str, port: int, *, within_s: float = SCRAPE_S) -> Callable[[], None]:
    """Serves a registry from a thread, for a process that has no HTTP door of its own; how to end it.

    Raises:
        SettingsError: the address cannot be bound.
    """

    class Handler(_Handler):
        timeout = within_s

    class Server(_Server):
        longest_s = within_s
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    try:
        server = make_server(host, port, make_wsgi_app(registry), Server, Handler)
    except OSError as cause:
        raise SettingsError(f"metrics cannot be shown at {host}:{port}: {cause.strerror}; set another port") from cause
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Scrapes are not logged."""


class _Server(ThreadingWSGIServer):
    longest_s: float
    request_queue_size = 4 * MOST_SCRAPES

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._room = threading.BoundedSemaphore(MOST_SCRAPES)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """In a thread of its own, if there is room."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)  # type: ignore[arg-type]
        except RuntimeError:  # the system has no thread left
            self._room.release()
            self.shutdown_request(request)

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Answers, within its time: what a client sends byte by byte would else keep the thread."""
        ending = threading.Timer(self.longest_s, _cut, [request])
        ending.daemon = True
        ending.start()
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            ending.cancel()
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is slow or gone is no fault."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _cut(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)
