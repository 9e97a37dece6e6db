"""Write lines to standard output, or to a file that appears only when it is whole."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from reward_service.tools.replay.errors import ScoringError

STDOUT = Path("-")
Write = Callable[[Mapping[str, object]], object]


def default_out(file: Path) -> Path:
    """In the current folder, named after the file."""
    return Path(f"{file.name}.rewards.jsonl")


@contextlib.contextmanager
def writer(out: Path, file: Path, option: str = "--out") -> Iterator[Write]:
    """Yields what writes a line of JSON.

    A file takes its name when all lines are in it, and none is left if one was not. `option` is the one that names
    `out`, for messages.

    Raises:
        ScoringError: it cannot be written, or is the file of the rollouts itself.
    """
    if out == STDOUT:
        yield _lines_to(sys.stdout)
        sys.stdout.flush()
        return
    try:
        if out.exists() and out.samefile(file):
            raise ScoringError(f"{out} is the file of the rollouts; choose another {option}")
        # What is no regular file, /dev/null or a pipe, is written to and never replaced.
        with _whole(out) if out.is_file() or not out.exists() else out.open("w") as opened:
            yield _lines_to(opened)
    except OSError as cause:
        raise ScoringError(f"{out} cannot be written: {cause.strerror}; choose another {option}") from cause


@contextlib.contextmanager
def _whole(out: Path) -> Iterator[TextIO]:
    """A file beside `out`, which takes its place at the end."""
    beside = out.with_name(f"{out.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8") as file:
            yield file
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


def _lines_to(file: TextIO) -> Write:
    # ASCII, so that a terminal's encoding cannot refuse an answer, nor an answer move its cursor.
    return lambda line: file.write(json.dumps(line, allow_nan=False) + "\n")
