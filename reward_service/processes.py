"""What the operating system is asked for when processes are started."""

import ctypes
import gc
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In a child before it runs: to be asked to stop when its parent dies, however it dies (Linux; else nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


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
