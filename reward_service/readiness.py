"""How a process tells the supervisor that started it that it is ready, or why it cannot begin."""

import contextlib
import os
import sys
from typing import NoReturn

READY_FD = "CO_REWARDING_READY_FD"
MOST_BYTES = 2048
"""Of a reason: a pipe takes so much in one piece."""


class Beginning:
    """What a process says of its beginning, as its supervisor hears it: a line in a pipe, empty if it is ready."""

    def __init__(self) -> None:
        """Opens the pipe, whose `writing` end is the process's."""
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self.ready = False
        self.reason: str | None = None

    def hear(self) -> None:
        """Takes in what was said, once the process has ended."""
        said = b""
        with contextlib.suppress(OSError):  # nothing was said, or all of it was heard
            said = os.read(self._reading, MOST_BYTES)
        self.ready = said == b"\n"
        self.reason = said.decode(errors="replace").strip() or None
        self.close()

    def give(self) -> None:
        """The process has its end: this one needs it no more."""
        os.close(self.writing)

    def close(self) -> None:
        """Ends the hearing; more than once is once."""
        reading, self._reading = self._reading, -1
        if reading >= 0:
            os.close(reading)


def say_ready() -> None:
    """Says that this process is ready: should it die from now on, another is started at once."""
    _say("")


def end_unready(why: BaseException, code: int) -> NoReturn:
    """Ends a process that cannot begin. Its supervisor says why, once; where there is none, it is said here."""
    reason = " ".join(str(why).split())
    if not _say(reason):
        print(reason, file=sys.stderr)  # noqa: T201 - logs may not be set up yet
    raise SystemExit(code) from why


def _say(line: str) -> bool:
    """Whether somebody was there to be told, and had not been told before."""
    fd = os.environ.pop(READY_FD, None)
    if fd is None:
        return False
    with contextlib.suppress(OSError):  # the supervisor is gone, and this process is about to be asked to go too
        os.write(int(fd), line.encode()[: MOST_BYTES - 1] + b"\n")
        os.close(int(fd))
    return True
