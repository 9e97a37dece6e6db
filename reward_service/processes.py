"""Start and end processes.

Commands die with their parent, a supervisor hears that a process is ready, and a process with a model of its own runs
with metrics and logs.
"""

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NoReturn

from co_rewarding_schema.errors import CoRewardingError
from prometheus_client import CollectorRegistry, ProcessCollector

from reward_service.errors import SettingsError
from reward_service.logs import configure_logging
from reward_service.process_metrics import ProcessCollector as ServiceProcesses
from reward_service.process_metrics import Processes, expose
from reward_service.settings import Settings, settings_given


def dies_with_parent(command: Sequence[str]) -> list[str]:
    """Return a command that is asked to stop when this process dies, however it dies.

    So it is too when the thread ends that started it. On Linux; elsewhere the command is as it was.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("parent_death.py")), str(os.getpid()), *command]


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a child has ended. On Linux it stays a zombie until `poll`, so that its usage can be read."""
    if sys.platform != "linux":
        return process.poll() is not None
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # another thread has waited for it
        return True


def keep_what_was_made() -> None:
    """Exclude all objects that were made so far from collections of garbage.

    A full collection over the modules of a web service stops it for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def raise_open_files_limit() -> None:
    """Raise the limit on open files to the most allowed: a waiting rollout may hold a connection each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


READY_FD = "CO_REWARDING_READY_FD"
MOST_BYTES = 2048
"""Of a reason: a pipe takes so much in one piece."""


class Beginning:
    """The message by which a process tells its supervisor that it is ready, or why it cannot begin.

    It is a line in a pipe, empty for a process that is ready.
    """

    def __init__(self) -> None:
        """Open the pipe, whose `writing` end belongs to the process."""
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self.ready = False
        self.reason: str | None = None

    def hear(self) -> None:
        """Read the message, once the process has ended."""
        said = b""
        with contextlib.suppress(OSError):  # nothing was said, or all of it was heard
            said = os.read(self._reading, MOST_BYTES)
        self.ready = said == b"\n"
        self.reason = said.decode(errors="replace").strip() or None
        self.close()

    def give(self) -> None:
        """Close the writing end here: the process has its own."""
        os.close(self.writing)

    def close(self) -> None:
        """Close the reading end; a second call does nothing."""
        reading, self._reading = self._reading, -1
        if reading >= 0:
            os.close(reading)


def say_ready() -> None:
    """Tell the supervisor that this process is ready: if it dies from now on, another is started at once."""
    _say("")


def end_unready(why: BaseException, code: int) -> NoReturn:
    """End a process that cannot begin. The supervisor tells the reason; without a supervisor, it is printed."""
    reason = " ".join(str(why).split())
    if not _say(reason):
        print(reason, file=sys.stderr)  # noqa: T201 - logs may not be set up yet
    raise SystemExit(code) from why


def _say(line: str) -> bool:
    """Return whether a supervisor heard the line, which it hears once."""
    fd = os.environ.pop(READY_FD, None)
    if fd is None:
        return False
    with contextlib.suppress(OSError):  # the supervisor is gone, and this process is about to be asked to go too
        os.write(int(fd), line.encode()[: MOST_BYTES - 1] + b"\n")
        os.close(int(fd))
    return True


Work = Callable[[Settings], Awaitable[None]]
"""Until a signal comes."""


def run_alone(role: str, work: Work, settings: Settings) -> None:
    """Run the work of a role with these settings, and serve the process's metrics where a port is set.

    Raises:
        CoRewardingError: it cannot begin; the message says what to change.
    """

    async def working() -> None:
        await work(settings)

    # Until the work takes signals it may load a model for minutes, in a thread: Ctrl-C ends it there and then.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with contextlib.ExitStack() as stack:
        if settings.metrics_port is not None:
            registry = CollectorRegistry()
            ProcessCollector(registry=registry)
            alone = Processes.alone(role)
            registry.register(ServiceProcesses(lambda: alone))
            stack.callback(expose(registry, settings.metrics_host, settings.metrics_port))
        asyncio.run(working())


def main_of(role: str, work: Work) -> None:
    """Run the work of a role with the settings of the environment; print one line if they do not allow it to begin."""
    try:
        settings = settings_given()
        configure_logging(as_json=settings.log_json, level=settings.log_level)
        run_alone(role, work, settings)
    except CoRewardingError as error:
        end_unready(error, 2 if isinstance(error, SettingsError) else 1)


def give_memory_back() -> None:
    """Give the system all that the heap holds and does not use, where the C library can; it gives its end by itself."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
