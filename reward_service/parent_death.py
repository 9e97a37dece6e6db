"""Run a command that is asked to stop when its parent dies: `python parent_death.py PARENT COMMAND...`, on Linux.

A program of its own, because a child that runs our code between fork and exec (`preexec_fn`) may wait for ever for a
lock that another thread held at that moment, and whoever starts it waits with it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == int(sys.argv[1]):  # else it has died before it could be asked for
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and the command would inherit it
            signal.signal(ignored, signal.SIG_DFL)
        os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - a list of words from ours, and no shell
