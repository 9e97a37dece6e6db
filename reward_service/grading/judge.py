"""Ask the judge whether two answers are equal as mathematics, in child processes that can be killed."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import msgspec
import structlog
from co_rewarding_schema.errors import CoRewardingError

from reward_service.background import Background
from reward_service.grading.bounds import unfit
from reward_service.grading.judge_process import (
    LENGTH_BYTES,
    Hello,
    JudgeLimits,
    JudgeQuestion,
    JudgeReply,
    Message,
    framed,
    length_of,
)
from reward_service.grading.verdicts import Verdict

log = structlog.get_logger(__name__)

JUDGE_VERSION = "3"
"""Part of every verdict's key: raise it when the judge decides otherwise than before."""

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")  # what a child knows of us: no secrets


class JudgeError(CoRewardingError):
    """No judge child can be started here; the message says why."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the CPU time it took (s; a child that was killed counts as its whole limit), and why.

    Reasons are a small fixed set, fit to be a metric's label; none contains anything of the answers.
    """

    verdict: Verdict
    cpu_s: float
    reason: str


class Observe(Protocol):
    """Is told of every judgement."""

    def __call__(self, verdict: Verdict, cpu_s: float, reason: str) -> None:
        """One comparison was judged."""
        ...


@dataclass(slots=True, eq=False)
class _Child:
    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Judge:
    """Compares answers in at most `children` processes. Belongs to the event loop, in any thread, that started it.

    The processes are forked by a template that has imported everything; it and they die with this process. Linux
    kills them also with the thread that started them, so that thread must live as long as its judge.
    """

    def __init__(
        self,
        *,
        children: int = 1,
        limits: JudgeLimits | None = None,
        wall_s: float | None = None,
        start_s: float = 60.0,
        observe: Observe | None = None,
        background: Background | None = None,
        guards: bool = True,
    ) -> None:
        """Starts nothing yet.

        `wall_s` is the second line of defence behind the CPU limit (default 20 times that), `start_s` how long a
        child may take to be there. `background` is that of the process. `guards=False` lets everything through to the
        children: for tests of their limits.
        """
        self._limits = limits or JudgeLimits()
        self._wall_s = wall_s if wall_s is not None else 20 * self._limits.cpu_s
        self._start_s = start_s
        self._observe = observe
        self._guards = guards
        self._free = asyncio.Semaphore(children)
        self._idle: list[_Child] = []
        self._background = background or Background()
        self._template: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._closed = False

    @property
    def version(self) -> str:
        """Part of every verdict's key: another version decides anew."""
        return JUDGE_VERSION

    async def __aenter__(self) -> "Judge":
        """Starts."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        await self.close()

    async def start(self) -> None:
        """Starts the template, which gets ready in the background; a first comparison waits for it.

        Raises:
            JudgeError: this system cannot fork or cannot start the template.
        """
        if not hasattr(os, "fork") or not hasattr(socket, "send_fds"):
            raise JudgeError("the judge needs a system that can fork and pass sockets on (Linux, macOS)")
        self._start_template()

    async def ready(self) -> None:
        """Waits until a child is there.

        Raises:
            JudgeError: none can be started; the message says why.
        """
        async with self._free:
            self._idle.append(await self._child())

    async def close(self) -> None:
        """Ends all processes. What is being compared is left undecided."""
        self._closed = True
        self._stop_template()  # its children go with it
        for child in self._idle:
            child.writer.close()
        self._idle.clear()
        await self._background.close()

    async def compare(self, a: str, b: str) -> Judgement:
        r"""Are the two answers (LaTeX, the contents of \boxed{}) equal? Never raises for what they contain.

        The verdict of (a, b) is that of (b, a): they are asked in one order.
        """
        reason = (unfit(a) or unfit(b)) if self._guards else None
        if reason is not None:
            judgement = Judgement(Verdict.UNDECIDED, 0.0, reason)
        else:
            judgement = await self._asked(JudgeQuestion(*sorted((a, b)), guarded=self._guards))
        if self._observe is not None:
            self._observe(judgement.verdict, judgement.cpu_s, judgement.reason)
        return judgement

    async def _asked(self, question: JudgeQuestion) -> Judgement:
        await self._free.acquire()
        child: _Child | None = None
        whole = False
        try:
            child = await self._child()
            async with asyncio.timeout(self._wall_s):
                child.writer.write(framed(question))
                reply = await _received(child.reader, JudgeReply)
            whole = not reply.last
            return Judgement(reply.verdict, reply.cpu_s, reply.reason)
        except TimeoutError:
            return Judgement(Verdict.UNDECIDED, self._limits.cpu_s, "wall")
        except (asyncio.IncompleteReadError, ConnectionError):
            return Judgement(Verdict.UNDECIDED, self._limits.cpu_s, "killed")
        except (ValueError, msgspec.DecodeError):
            return Judgement(Verdict.UNDECIDED, self._limits.cpu_s, "garbled")
        except JudgeError as error:
            log.error("no judge child can be started", error=str(error))
            return Judgement(Verdict.UNDECIDED, 0.0, "absent")
        finally:
            self._put_back(child, whole)

    def _put_back(self, child: _Child | None, whole: bool) -> None:
        """A whole child is used again; of any other the place is free once it is gone."""
        if child is None:
            self._free.release()
        elif whole and not self._closed:
            self._idle.append(child)
            self._free.release()
        else:
            if not child.reader.at_eof():  # it lives, so its pid is its own
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
            self._background.start("judge-burials", self._bury(child))

    async def _bury(self, child: _Child) -> None:
        """Waits until a child is gone: the kernel closes its socket only after it has taken back its memory."""
        try:
            with contextlib.suppress(OSError):
                await child.reader.read()
            child.writer.close()
        finally:
            self._free.release()

    async def _child(self) -> _Child:
        """An idle child that is alive, or a new one; JudgeError if there is none to be had."""
        while self._idle:
            child = self._idle.pop()
            if not child.reader.at_eof():
                return child
            child.writer.close()
        for _ in range(2):  # a template that was killed in between is started anew
            child = await self._fork()
            if child is not None:
                return child
            self._restart_template()
        raise JudgeError(f"the template process does not start: {self._last_words() or 'it says nothing'}")

    async def _fork(self) -> _Child | None:
        """A new child; None if the template is gone or does not answer in time."""
        if self._control is None:
            return None
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"f"], [theirs.fileno()])
            reader, writer = await asyncio.open_unix_connection(sock=ours)
        except OSError:
            ours.close()
            return None
        try:
            async with asyncio.timeout(self._start_s):
                hello = await _received(reader, Hello)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            writer.close()
            return None
        except BaseException:
            writer.close()  # at its end of file the child ends by itself
            raise
        return _Child(hello.pid, reader, writer)

    def _start_template(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        # Modules are looked for where they are here, and not in the current folder: a trainer's may hold any.
        environment["PYTHONPATH"] = os.pathsep.join(place or os.getcwd() for place in sys.path)
        command = [sys.executable, "-P", "-m", "reward_service.grading.judge_process"]
        arguments = [str(theirs.fileno()), str(os.getpid()), msgspec.json.encode(self._limits).decode()]
        try:
            with theirs:
                # The hash seed is fixed: the order of sets steers the simplifier, and a verdict should be repeatable.
                self._template = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    command + arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=environment | {"PYTHONHASHSEED": "0"},
                    pass_fds=(theirs.fileno(),),
                )
        except OSError as error:
            ours.close()
            raise JudgeError(f"the template process does not start: {error}") from error
        self._control = ours

    def _restart_template(self) -> None:
        if self._closed:
            raise JudgeError("the judge was closed")
        log.warning("the judge's template process is gone; starting another", said=self._last_words())
        self._stop_template()
        self._start_template()

    def _stop_template(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._template is not None:
            self._template.kill()
            self._template.wait()
        self._control = self._template = None

    def _last_words(self) -> str:
        """What the template said before it ended: it speaks only then."""
        if self._control is None:
            return ""
        try:
            return self._control.recv(1000).decode(errors="replace")
        except OSError:
            return ""


async def _received(reader: asyncio.StreamReader, kind: type[Message]) -> Message:
    length = length_of(await reader.readexactly(LENGTH_BYTES))
    return msgspec.json.decode(await reader.readexactly(length), type=kind)
