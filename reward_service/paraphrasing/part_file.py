"""Outcomes on their way to a result: a line is appended as each comes, and a run that was killed goes on from there."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from reward_service.domain.paraphrases.rewriting import Outcome
from reward_service.paraphrasing.errors import RewritingError


class PartFile:
    """JSON lines: a header that says what was ordered, then outcomes in the order they came.

    Only where each begins is in memory. One process at a time has the file; a lock goes with the process that dies.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Begins the file, or goes on with it. A last line that was not written whole is taken off.

        Raises:
            RewritingError: it was begun with another header, another process writes it, or it is no such file.
        """
        self._path = path
        self._begins: dict[str, int] = {}
        try:
            self._file = path.open("a+b")
        except OSError as cause:
            raise RewritingError(f"{path} cannot be written: {cause.strerror or cause}") from cause
        try:
            self._lock()
            self._go_on(header)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the file; it stays."""
        self._file.close()

    def __len__(self) -> int:
        """How many outcomes there are."""
        return len(self._begins)

    def __contains__(self, question_id: str) -> bool:
        """Whether the question's outcome is there."""
        return question_id in self._begins

    def outcome(self, question_id: str) -> Outcome:
        """The question's outcome, from the file; KeyError if it is not there."""
        self._file.seek(self._begins[question_id])
        return msgspec.convert(json.loads(self._file.readline()), Outcome)

    def add(self, outcome: Outcome) -> None:
        """Appends an outcome; when this returns, killing the process does not lose it."""
        begins = self._file.seek(0, os.SEEK_END)
        self._file.write(_line(msgspec.to_builtins(outcome)))
        self._file.flush()
        self._begins[outcome.question_id] = begins

    def remove(self) -> None:
        """Deletes the file."""
        self._path.unlink()

    def _lock(self) -> None:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            raise RewritingError(f"{self._path}: another process is writing it; wait for it, or end it") from cause

    def _go_on(self, header: Mapping[str, Any]) -> None:
        self._file.seek(0)
        first = self._file.readline()
        if not first.endswith(b"\n"):
            if not _line(header).startswith(first):
                raise RewritingError(f"{self._path}: not begun by this order; remove the file to begin anew")
            self._file.truncate(0)
            self._file.write(_line(header))
            self._file.flush()
            return
        begun = _object(self._path, 1, first)
        begins = len(first)
        for number, line in enumerate(self._file, start=2):
            if not line.endswith(b"\n"):
                break
            self._begins[str(_object(self._path, number, line).get("question_id"))] = begins
            begins += len(line)
        if self._begins or "rewriting" not in begun:
            self._check(begun, json.loads(_line(header)))
            self._file.truncate(begins)
        else:  # another order's that came to nothing
            self._file.truncate(0)
            self._file.write(_line(header))
            self._file.flush()

    def _check(self, begun: Mapping[str, Any], ordered: Mapping[str, Any]) -> None:
        for name, value in _flat(ordered).items():
            before = _flat(begun).get(name)
            if before != value:
                raise RewritingError(
                    f"{self._path} was begun with another {name}: {_short(before)}, and not {_short(value)}; go on as "
                    "it was begun, or remove it to begin anew"
                )


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _object(path: Path, number: int, line: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RewritingError(f"{path}:{number}: not a line that rewriting wrote; remove the file to begin anew")
    return content


def _flat(header: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in header.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
