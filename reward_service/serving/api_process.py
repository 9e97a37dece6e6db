"""Run one API process: uvicorn over a socket that its parent has bound."""

import logging
import os
import socket
from functools import partial
from threading import Timer

import structlog
import uvicorn

from reward_service.api.app import ApiService
from reward_service.dashboard.page import WithPage
from reward_service.processes import keep_what_was_made, raise_open_files_limit, say_ready
from reward_service.serving.children import SOCKET_FD, settings_from_environment
from reward_service.serving.connection_limits import ConnectionLimits, Doorkeeper
from reward_service.serving.connections import BoundedProtocol

log = structlog.get_logger(__name__)
BACKLOG = 4096
FAILED = 1
END_WITHIN_S = 10.0


class DrainingServer(uvicorn.Server):
    """Tells those who wait that the process stops, before uvicorn waits for them."""

    def __init__(self, config: uvicorn.Config, service: ApiService) -> None:
        """The service is the one that the config serves."""
        super().__init__(config)
        self._service = service
        self._ending = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Composes the service and begins to accept."""
        await super().startup(sockets)
        keep_what_was_made()
        if self.started:
            say_ready()

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop: also when a background task has failed."""
        if self._service.background.failure is not None and not self._ending:
            self._ending = True
            # Held requests are told to come again; should that hang, the process ends all the same.
            ending = Timer((self.config.timeout_graceful_shutdown or 0) + END_WITHIN_S, os._exit, [FAILED])
            ending.daemon = True
            ending.start()
        return await super().on_tick(counter) or self._ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops accepting, answers what is held, and ends."""
        self._service.drain()
        await super().shutdown(sockets)


NO_NEWS = {"Invalid HTTP request received.", "ASGI callable returned without completing response."}


def is_news(record: logging.LogRecord) -> bool:
    """Whether the log is to have it: anybody can cause any number of the others.

    What is no HTTP is counted as `malformed`. An answer that is not complete is that of a viewer who reads too slowly.
    """
    return record.msg not in NO_NEWS


def main() -> None:
    """Serves until asked to stop."""
    settings = settings_from_environment()
    logging.getLogger("uvicorn.error").addFilter(is_news)
    raise_open_files_limit()
    service = ApiService(settings)
    keeper = Doorkeeper(ConnectionLimits.of(settings), service.metrics)
    config = uvicorn.Config(
        WithPage(service.asgi),
        loop="uvloop",
        http=partial(BoundedProtocol, keeper, service),  # type: ignore[arg-type] - called as the class would be
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_s)),
    )
    listener = socket.socket(fileno=int(os.environ[SOCKET_FD]))
    DrainingServer(config, service).run(sockets=[listener])
    if service.background.failure is not None:
        raise SystemExit(FAILED)


if __name__ == "__main__":
    main()
