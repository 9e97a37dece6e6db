"""The template process: imports the symbolic mathematics once, then forks a judge child for each socket it is given.

It has one thread, so a fork is safe, and it reads nothing that an answer says: no answer can slow it down or kill it.
"""

import ctypes
import gc
import logging
import os
import signal
import socket
import sys

import msgspec

from reward_service.grading.judge_wire import JudgeLimits

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """This process is killed when its parent dies, and ends at once if that has happened already (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def run(control: socket.socket, limits: JudgeLimits) -> None:
    """Forks a child for every socket that comes through `control`, until its other end is closed."""
    from reward_service.grading.judge_child import serve, warm_up

    warm_up()
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    here = os.getpid()
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not descriptors:
            return
        if os.fork() == 0:
            control.close()
            die_with(here)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            serve(socket.socket(fileno=descriptors[0]), limits)
            os._exit(0)
        os.close(descriptors[0])


def main() -> None:
    """Arguments: the descriptor of the control socket, the pid of the judge, the limits as JSON."""
    die_with(int(sys.argv[2]))
    logging.disable(logging.CRITICAL)  # math-verify writes what it was asked into its logs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to answer: it closes the judge
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        run(control, msgspec.json.decode(sys.argv[3], type=JudgeLimits))
    except ImportError as error:
        control.sendall(f"{type(error).__name__}: {error}".encode()[:1000])
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
