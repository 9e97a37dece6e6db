"""Processes that die are started again, whatever the disk and the system are doing; none outlives who started it."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis

from reward_service.processes import dies_with_parent
from reward_service.serving.supervisor import Supervisor
from tests.support.service import pair, running
from tests.support.waiting import wait_until

TETHER = Path(__file__).parents[2] / "reward_service/parent_death.py"
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")


def test_a_disk_that_hangs_keeps_nobody_from_being_started_again() -> None:
    with running() as supervisor:
        with Redis.from_url(supervisor.redis_url) as store:
            folder = Path(store.config_get("dir")["dir"]) / "appendonlydir"  # type: ignore[index] - not asynchronous
        with _hanging(folder / "others.aof"):
            for role in ("worker", "redis"):
                (pid,) = supervisor.pids(role)
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda role=role, pid=pid: supervisor.pids(role) not in ([], [pid]))
            assert _rewards(supervisor) == [1.0, 1.0]


@contextlib.contextmanager
def _hanging(file: Path) -> Iterator[None]:
    """Who opens this file waits until the context ends."""
    os.mkfifo(file)
    wait_until(_flusher_waits)
    try:
        yield
    finally:
        file.rename(file.with_suffix(".done"))
        os.close(os.open(file.with_suffix(".done"), os.O_RDWR | os.O_NONBLOCK))


def _flusher_waits() -> bool:
    frames = sys._current_frames()
    idents = [thread.ident for thread in threading.enumerate() if thread.name == "flusher"]
    return any(frames[ident].f_code.co_name == "open" for ident in idents if ident in frames)


def _rewards(supervisor: Supervisor) -> list[float]:
    answer = httpx.post(f"{supervisor.url}/v1/rewards", json={"rollouts": pair("q", ["4"], ["4"])}, timeout=30.0)
    return answer.raise_for_status().json()["rewards"]


def test_what_cannot_be_started_now_is_started_later(capsys: pytest.CaptureFixture[str]) -> None:
    said = ""

    def told() -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return "could not be started again yet" in said

    with running() as supervisor:
        (pid,) = supervisor.pids("worker")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            os.kill(pid, signal.SIGKILL)
            wait_until(told)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        wait_until(lambda: supervisor.pids("worker"))
        assert _rewards(supervisor) == [1.0, 1.0]


@linux
def test_a_child_goes_when_its_parent_is_killed() -> None:
    script = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); input()"
    starts = "import sys; from reward_service.processes import dies_with_parent; "
    starts += "sys.argv = dies_with_parent(['/bin/sleep', '60']); "
    command = [sys.executable, "-c", starts + script.replace("sys.argv[1:]", "sys.argv")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_until(lambda: _command_of(pid).startswith("/bin/sleep"))
        parent.kill()
    wait_until(lambda: _command_of(pid) == "")


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


@linux
def test_a_child_whose_parent_is_gone_already_begins_nothing() -> None:
    command = [sys.executable, str(TETHER), str(os.getpid() + 1), "/bin/echo", "begun"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""


@linux
def test_a_command_that_dies_with_its_parent_ignores_no_more_signals() -> None:
    command = ["/bin/grep", "SigIgn", "/proc/self/status"]
    plain, told = (
        subprocess.run(each, capture_output=True, check=True) for each in (command, dies_with_parent(command))
    )
    assert told.stdout == plain.stdout
