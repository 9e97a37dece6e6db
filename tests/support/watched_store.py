"""A primary, its replicas and the sentinels that watch them: real processes, killed and started again by a test."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import redis

from tests.support.ports import free_port
from tests.support.waiting import wait_until

NAME = "mymaster"
DOWN_AFTER_MS = 1000
"""After how long a silent server is taken for dead."""

FAILED_OVER_WITHIN_S = 60.0
SENTINELS = 3

ServerOptions = Sequence[str]


class StoreNode:
    """A server at a port of its own, over a folder of its own."""

    def __init__(self, binary: str, folder: Path, options: ServerOptions) -> None:
        self.port = free_port(bus=True)
        self._folder = folder / str(self.port)
        self._folder.mkdir()
        # Diskless, at once: a replica that comes again is in step within a second.
        quick = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
        common = ("--port", str(self.port), "--dir", str(self._folder), "--save", "", "--appendonly", "yes")
        self._command = [binary, *common, *quick, *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(port=self.port, socket_timeout=10.0)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether it was started, and not killed since."""
        return self._process is not None

    def start(self, *options: str) -> None:
        """Starts it, or starts it again, and returns when it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*self._command, *options], stdout=log, stderr=subprocess.STDOUT)
        wait_until(self._answers)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def info(self, section: str) -> dict[str, Any]:
        return cast("dict[str, Any]", self.client.info(section))

    def has_replicas(self, count: int) -> bool:
        """Whether so many replicas are connected and in step."""
        info = self.info("replication")
        online = [info.get(f"slave{place}", {}).get("state") == "online" for place in range(info["connected_slaves"])]
        return info["role"] == "master" and sum(online) >= count

    def close(self) -> None:
        self.kill()
        self.client.close()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False


class WatchedStore:
    """A primary and replicas that take its place. `options` are those of every server."""

    def __init__(self, binary: str, folder: Path, replicas: int, down_after_ms: int, options: ServerOptions) -> None:
        """Starts nothing yet."""
        self.nodes = [StoreNode(binary, folder, options) for _ in range(1 + replicas)]
        self.sentinels = [Sentinel(binary, folder, self.nodes[0].port, down_after_ms) for _ in range(SENTINELS)]

    def start(self) -> None:
        """Returns when the replicas are in step, and the sentinels know all."""
        primary, *others = self.nodes
        primary.start()
        for other in others:
            other.start("--replicaof", f"127.0.0.1 {primary.port}")
        wait_until(lambda: primary.has_replicas(len(others)))
        for each in self.sentinels:
            each.start()
        wait_until(lambda: all(each.knows(len(others)) for each in self.sentinels), FAILED_OVER_WITHIN_S)

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(f'127.0.0.1:{each.port}' for each in self.sentinels)}/{NAME}"

    def primary(self) -> StoreNode:
        """The server that most sentinels name."""
        named = [port for each in self.sentinels if (port := each.primary_port()) is not None]
        return next(node for node in self.nodes if node.port == max(named, key=named.count))

    def replica(self) -> StoreNode:
        """One that is not the primary."""
        primary = self.primary()
        return next(node for node in self.nodes if node is not primary)

    def fail_over(self, old: StoreNode) -> StoreNode:
        """Has another server made the primary, before the sentinels notice that it is needed: that server."""
        wait_until(self._begins_to_fail_over, FAILED_OVER_WITHIN_S, every_s=0.05)
        return self.failed_over(old)

    def _begins_to_fail_over(self) -> bool:
        try:
            return bool(self.sentinels[0].client.execute_command("SENTINEL", "FAILOVER", NAME))
        except redis.ResponseError as error:
            if not str(error).startswith(("NOGOODSLAVE", "INPROG")):
                raise
            return False

    def failed_over(self, old: StoreNode) -> StoreNode:
        """Returns when another server is the primary by its own word too: that server."""
        return wait_until(lambda: self._other_primary(old), FAILED_OVER_WITHIN_S, every_s=0.02)

    def bring_back(self, node: StoreNode) -> None:
        """Starts a killed server as a replica of the primary, and returns when it is in step."""
        node.start("--replicaof", f"127.0.0.1 {self.primary().port}")
        self.whole()

    def whole(self) -> StoreNode:
        """Returns the primary, when all other servers follow it and every sentinel knows it."""
        return wait_until(self._primary_of_all, FAILED_OVER_WITHIN_S, every_s=0.05)

    def _primary_of_all(self) -> StoreNode | None:
        primary = self.primary()
        others = [node for node in self.nodes if node is not primary]
        if primary.info("replication")["role"] != "master":
            return None
        for node in others:
            replication = node.info("replication")
            if replication["role"] == "master" or replication["master_port"] != primary.port:
                node.client.replicaof("127.0.0.1", str(primary.port))  # or the sentinels tell it so after 10 s
        known = all(each.primary_port() == primary.port for each in self.sentinels)
        return primary if known and primary.has_replicas(len(others)) else None

    def close(self) -> None:
        for each in (*self.sentinels, *self.nodes):
            each.close()

    def _other_primary(self, old: StoreNode) -> StoreNode | None:
        now = self.primary()
        return now if now is not old and now.info("replication")["role"] == "master" else None


class Sentinel:
    """A sentinel that watches the server at a port."""

    def __init__(self, binary: str, folder: Path, primary_port: int, down_after_ms: int) -> None:
        self.port = free_port()
        self._settings = folder / f"sentinel-{self.port}.conf"
        self._settings.write_text(
            f"port {self.port}\ndir {folder}\nsentinel monitor {NAME} 127.0.0.1 {primary_port} 2\n"
            f"sentinel down-after-milliseconds {NAME} {down_after_ms}\nsentinel failover-timeout {NAME} 3000\n"
        )
        self._command = [binary, str(self._settings), "--sentinel"]
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(port=self.port, socket_timeout=5.0)

    def start(self) -> None:
        """Starts it, or starts it again with what it knew."""
        with self._settings.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def knows(self, replicas: int) -> bool:
        """Whether it knows the other sentinels and the replicas, without which there is no failover."""
        try:
            state = self.client.sentinel_master(NAME)
        except redis.ConnectionError:
            return False
        assert isinstance(state, dict)
        return state["num-other-sentinels"] == SENTINELS - 1 and state["num-slaves"] >= replicas

    def primary_port(self) -> int | None:
        try:
            state = self.client.sentinel_master(NAME)
        except (redis.ConnectionError, redis.TimeoutError):
            return None
        assert isinstance(state, dict)
        return state["port"]

    def close(self) -> None:
        self.kill()
        self.client.close()


@contextlib.contextmanager
def watched_store(
    binary: str, *options: str, replicas: int = 1, down_after_ms: int = DOWN_AFTER_MS
) -> Iterator[WatchedStore]:
    """A primary, replicas and three sentinels, while the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="cr-watched-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        store = WatchedStore(binary, folder, replicas, down_after_ms, options)
        stack.callback(store.close)
        store.start()
        yield store


class Pair:
    """A primary and its replica without sentinels; both flush every write to their disks."""

    def __init__(self, binary: str, folder: Path) -> None:
        """Starts nothing yet."""
        always = ("--appendfsync", "always")
        self.primary, self.replica = (StoreNode(binary, folder, always) for _ in range(2))

    def start(self) -> None:
        self.primary.start()
        self.replica.start("--replicaof", f"127.0.0.1 {self.primary.port}")
        wait_until(lambda: self.primary.has_replicas(1))

    def part(self) -> None:
        """The replica hangs, and what is written from now on does not even reach its kernel."""
        self.replica.signal(signal.SIGSTOP)
        self.primary.client.client_kill_filter(_type="replica")

    def join(self) -> None:
        self.replica.signal(signal.SIGCONT)
        wait_until(lambda: self.primary.has_replicas(1))

    def close(self) -> None:
        self.primary.close()
        self.replica.close()


@contextlib.contextmanager
def replicated_pair(binary: str) -> Iterator[Pair]:
    """A primary and its replica, in step, while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="cr-pair-", ignore_cleanup_errors=True) as folder:
        pair = Pair(binary, Path(folder))
        try:
            pair.start()
            yield pair
        finally:
            pair.close()
