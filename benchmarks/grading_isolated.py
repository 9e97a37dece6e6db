"""Run a grader in a process of its own, which is ended when it takes too long."""

import gc
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

START_S = 120.0


class LostError(Exception):
    """The process gave no answer: it was ended at the limit of its time, or it died. The message says which."""


class Isolated:
    """Calls the methods of an object that lives in another process, in its main thread.

    After a call that was lost the next one finds a new process, with a new object.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[object]]) -> None:
        """`make` opens the object there; a function or a partial of one, since it has to travel."""
        self._make = make
        self._context = get_context("spawn")  # a fork would inherit what this process has learnt
        self._process: Any = None
        self._connection: Connection | None = None

    def __enter__(self) -> "Isolated":
        """Starts the process."""
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it."""
        self._end()

    @property
    def pid(self) -> int:
        """Of the process that there is now."""
        if self._process is None:
            self._start()
        assert self._process is not None
        return self._process.pid

    def call(self, method: str, *arguments: object, limit_s: float) -> Any:  # noqa: ANN401 - whatever the method gives
        """What the object's method gives.

        Raises:
            LostError: it gave nothing in `limit_s` seconds of wall time, or the process died.
            RuntimeError: the method raised; the message is the error's.
        """
        if self._connection is None:
            self._start()
        assert self._connection is not None
        try:
            self._connection.send((method, arguments))
            if not self._connection.poll(limit_s):
                raise LostError(f"ended after {limit_s:g} s")
            error, result = self._connection.recv()
        except (EOFError, OSError) as gone:
            self._end()
            raise LostError("its process died") from gone
        except LostError:
            self._end()
            raise
        if error:
            raise RuntimeError(error)
        return result

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs, self._make), daemon=True)
        self._process.start()
        theirs.close()
        try:
            ready = ours.poll(START_S) and ours.recv()
        except EOFError:
            ready = False
        self._connection = ours
        if ready is not True:
            self._end()
            raise RuntimeError(f"it does not start: {ready or 'it says nothing'}")

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._process = None


def _serve(connection: Connection, make: Callable[[], AbstractContextManager[object]]) -> None:
    """Answers calls until the other end is closed."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)  # graders write what they were asked into their logs, control characters too
    try:
        with make() as called:
            gc.collect()
            gc.freeze()  # as the service does: what is there at the start is never looked through again
            connection.send(True)
            while True:
                method, arguments = connection.recv()
                try:
                    answer = (None, getattr(called, method)(*arguments))
                except Exception as error:
                    answer = (f"{type(error).__name__}: {error}", None)
                connection.send(answer)
    except (EOFError, OSError):
        return
    except Exception as error:
        connection.send(f"{type(error).__name__}: {error}")
