"""What the operating system is asked for when processes are started."""

import gc
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def dies_with_parent(command: Sequence[str]) -> list[str]:
    """A command for this process to start that is asked to stop when this process dies, however it dies.

    So it is too when the thread ends that started it. On Linux; elsewhere the command is as it was.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("parent_death.py")), str(os.getpid()), *command]


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a child has ended. On Linux it stays a zombie, so that what it used can still be read, until `poll`."""
    if sys.platform != "linux":
        return process.poll() is not None
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # another thread has waited for it
        return True


def keep_what_was_made() -> None:
    """After a process is set up: what it is made of is not looked through again by every collection of garbage.

    A full collection over the modules of a web service stops it for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def raise_open_files_limit() -> None:
    """Lifts the limit on open files to the most allowed: a waiting rollout may hold a connection each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
