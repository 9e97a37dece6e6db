"""A process whose children do updates until they are killed: `python -m tests.teaching.updating_process FOLDER`.

The folder has a model, `base`, and its policies. The parent has compiled everything, so a child begins at once. Of
every line of JSON it reads it makes a child, prints the child's pid and, when the child is gone, by which signal that
was (0: none).
"""

import itertools
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType

from reward_service.teaching.average import Average

ALPHA = 0.75
POLICIES = 7
WRITING = ("average", "average_files", "streaming")


def policy_of(policies: Path, version: int) -> Path:
    """The policy of a version: there are a few, which take turns."""
    return policies / str(version % POLICIES)


def update_for_ever(average: Average, policies: Path) -> None:
    for version in itertools.count(average.version + 1):
        average.update(version, policy_of(policies, version), ALPHA)


def end_after(calls: int) -> None:
    """Ends the process when so many calls and returns have happened in the code that writes, in all its threads."""
    left = itertools.count(calls, -1)

    def count(frame: FrameType, _event: str, _argument: object) -> None:
        if Path(frame.f_code.co_filename).stem in WRITING and next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(count)
    sys.setprofile(count)


def in_child(folder: Path, policies: Path, calls: int | None, *, mapped: bool) -> None:
    if calls is not None:
        end_after(calls)
    average = Average.open(folder, policies / "base", mapped=mapped, threads=2)
    if calls is None:
        update_for_ever(average, policies)
    average.update(average.version + 1, policy_of(policies, average.version + 1), ALPHA)


def main() -> None:
    policies = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for mapped in (False, True):
            with Average.open(Path(folder, str(mapped)), policies / "base", mapped=mapped) as average:
                average.update(1, policy_of(policies, 1), ALPHA)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            in_child(Path(asked["folder"]), policies, asked["calls"], mapped=asked["mapped"])
            os._exit(0)
        print(child, flush=True)
        print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
