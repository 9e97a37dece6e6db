"""A program that runs as if it were this one: it gets our signals, and we end as it ends."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType

from co_rewarding_trainer.openrlhf.errors import TrainingError

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KILLED = 128
"""As a shell says it: 128 and the number of the signal."""


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs `command` to its end; its exit status, 128 + n where signal n ended it. To be called in the main thread.

    The child has a session of its own, so that a Ctrl-C reaches it once, by us, and not by the terminal as well.

    Raises:
        TrainingError: it could not be started.
    """
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        if started:
            started[0].send_signal(number)
        else:
            early.append(number)

    before = {each: signal.signal(each, pass_on) for each in PASSED_ON}
    try:
        try:
            child = subprocess.Popen(  # noqa: S603 - our own driver, with the arguments of a recipe
                command, env=dict(environment), start_new_session=True
            )
        except OSError as cause:
            raise TrainingError(
                f"{command[0]} cannot be started: {cause.strerror or os.strerror(cause.errno or 0)}"
            ) from cause
        started.append(child)
        for number in early:
            child.send_signal(number)
        status = child.wait()
        return status if status >= 0 else KILLED - status
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
