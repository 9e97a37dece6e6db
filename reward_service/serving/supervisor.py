"""Start the processes, restart those that die, and stop them in the right order."""

import asyncio
import contextlib
import errno
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import structlog
from co_rewarding_schema.errors import CoRewardingError

from reward_service.errors import EmbeddedServerError, SettingsError
from reward_service.process_metrics import STORE
from reward_service.processes import has_ended
from reward_service.serving.children import (
    LONGEST_PAUSE_S,
    SOCKET_FD,
    Child,
    environment_of,
    expose_children,
    require_installed,
    started,
    stop,
)
from reward_service.serving.ledger import ProcessLedger
from reward_service.settings import Settings
from reward_service.store.embedded import EmbeddedValkey, NetworkDoor
from reward_service.store.server_checks import wait_for_store

log = structlog.get_logger(__name__)

LOOK_S = 0.05
READY_TIMEOUT_S = 60.0


class Supervisor:
    """The processes of one service: APIs over one socket, workers, and an embedded server if there is no other."""

    def __init__(self, settings: Settings, door: NetworkDoor | None = None) -> None:
        """Starts nothing yet. By the `door` other machines reach an embedded server."""
        self._settings = settings
        self._embedded = EmbeddedValkey(settings.data_dir, door) if settings.redis_url is None else None
        self._listener: socket.socket | None = None
        self._children: list[Child] = []
        self._stopping = threading.Event()
        self._ledger: ProcessLedger | None = None
        self._end_exposing = contextlib.ExitStack()

    @property
    def url(self) -> str:
        """Where the API is."""
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"http://{host}:{self.port}"

    @property
    def port(self) -> int:
        """The port that was bound."""
        assert self._listener is not None, "start first"
        return self._listener.getsockname()[1]

    @property
    def redis_url(self) -> str:
        """The store's URL."""
        return self._settings.redis_url or (self._embedded.url if self._embedded is not None else "")

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def pids(self, role: str) -> list[int]:
        """The living processes of a role: 'api', 'worker', 'teacher', 'paraphraser' or 'redis'."""
        if role == "redis":
            return [self._embedded.pid] if self._embedded is not None and self._embedded.pid is not None else []
        return [child.process.pid for child in self._children if child.role == role and not has_ended(child.process)]

    def start(self, *, api: bool = True) -> None:
        """Starts every process; they may need a moment to be ready. `stop_watching` ends it at any moment.

        Raises:
            SettingsError: the address cannot be bound, or a model needs what is not installed.
            EmbeddedServerError: the embedded server did not start.
            UnusableStoreError: the Redis could lose accepted work, or is too old.
            StoreUnavailableError: there is no Redis at the URL.
        """
        require_installed(self._settings)
        if api:
            self._listener = _bound(self._settings.host, self._settings.port)
        if self._embedded is not None:
            self._embedded.start(self._stopping)
        asyncio.run(self._reach_store())
        roles = ["worker"] * self._settings.workers + (["api"] * self._settings.api_processes if api else [])
        roles += ["teacher"] if self._settings.teacher is not None else []
        roles += ["paraphraser"] if self._settings.paraphraser is not None else []
        ledger = self._ledger = ProcessLedger([*roles, *([STORE] if self._embedded is not None else [])])
        if self._embedded is not None:
            ledger.started(STORE)
        for role in roles:
            if self._stopping.is_set():
                return
            self._children.append(started(role, *self._surroundings(role)))
            ledger.started(role)
        ledger.tell(self._children)
        if not api and self._settings.metrics_port is not None:
            self._end_exposing.callback(expose_children(self._settings, ledger.folder))

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Returns when the API says that it is able to serve.

        Raises:
            CoRewardingError: it did not within the time, or the processes keep dying.
        """
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s and not self._stopping.is_set():
            if _is_ready(self._settings.host, self.port):
                return
            time.sleep(LOOK_S)
        raise CoRewardingError(f"the service at {self.url} was not ready after {timeout_s:g} s; its log says why")

    def watch(self) -> None:
        """Keeps the processes alive until `stop_watching`."""
        while not self._stopping.wait(LOOK_S):
            try:
                self.look()
            except (OSError, EmbeddedServerError) as error:  # no memory, process or disk left: perhaps in a moment
                log.error("what died could not be started again yet", error=str(error))
                self._stopping.wait(LONGEST_PAUSE_S)

    def look(self) -> None:
        """Starts again what has died; each time after a longer pause, if it keeps dying: `Child.ended`.

        Raises:
            OSError, EmbeddedServerError: something could not be started now.
        """
        assert self._ledger is not None, "start first"
        if self._embedded is not None and not self._embedded.running():
            log.error("the embedded server died; starting it again over its data")
            self._embedded.start(self._stopping)
            self._ledger.started(STORE, again=True)
            self._ledger.tell(self._children)
        now_s = time.monotonic()
        for index, child in enumerate(self._children):
            if not has_ended(child.process):
                continue
            if child.start_at_s is None:
                self._ledger.ended(child, self._children)
                child.ended(now_s)
            elif now_s >= child.start_at_s:
                self._children[index] = child.successor(*self._surroundings(child.role))
                self._ledger.started(child.role, again=True)
                self._ledger.tell(self._children)

    @contextlib.contextmanager
    def kept(self, *, api: bool = True) -> Iterator[None]:
        """All is started (without an API, if there is to be none), and kept alive by a thread while the context lasts.

        That thread also stops it: a process that it started would be asked to stop as soon as the thread ends.

        Raises:
            CoRewardingError: as `start`; what had been started is stopped.
        """
        try:
            self.start(api=api)
        except BaseException:
            self.stop()
            raise
        keeper = threading.Thread(target=self._keep, name="supervisor", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            self.stop_watching()
            keeper.join()

    def _keep(self) -> None:
        try:
            self.watch()
        finally:
            self.stop()

    def stop_watching(self) -> None:
        """Ends `watch`; safe in a signal handler."""
        self._stopping.set()

    def stop(self) -> None:
        """Stops the API, the models, the workers, then the embedded server: what was accepted is finished or kept."""
        self._stopping.set()
        for role in ("api", "paraphraser", "teacher", "worker"):
            stop([child for child in self._children if child.role == role], self._settings.shutdown_s)
        self._end_exposing.close()
        if self._listener is not None:
            self._listener.close()
        if self._embedded is not None:
            self._embedded.stop()
        if self._ledger is not None:
            self._ledger.close()

    async def _reach_store(self) -> None:
        """Returns when the store answers, or when the supervisor is to stop."""
        if self._stopping.is_set():
            return None
        reaching = asyncio.create_task(wait_for_store(self.redis_url, self._settings.redis_patience_s))
        while not self._stopping.is_set() and not reaching.done():
            await asyncio.wait({reaching}, timeout=LOOK_S)  # a signal's handler only sets the event
        if reaching.done():
            return await reaching
        reaching.cancel()
        await asyncio.wait({reaching})
        return None

    def _surroundings(self, role: str) -> tuple[dict[str, str], tuple[int, ...]]:
        """The environment and the files that a process of this role begins with."""
        told = {"redis_url": self.redis_url, "metrics_port": None}
        environment = environment_of(self._settings.model_copy(update=told))
        if self._ledger is not None:
            environment["PROMETHEUS_MULTIPROC_DIR"] = self._ledger.folder
        if role != "api" or self._listener is None:
            return environment, ()
        environment[SOCKET_FD] = str(self._listener.fileno())
        return environment, (self._listener.fileno(),)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, UnicodeError) as cause:  # the latter for a name that no host can have
        listener.close()
        taken = isinstance(cause, OSError) and cause.errno in {errno.EADDRINUSE, errno.EACCES}
        advice = "choose another --port" if taken else "--host is an address of this machine"
        why = cause.strerror if isinstance(cause, OSError) else cause
        raise SettingsError(f"cannot listen on {host}:{port} ({why}): {advice}") from cause
    listener.set_inheritable(True)
    return listener


def _is_ready(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, port, timeout=2.0)  # noqa: S104
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
