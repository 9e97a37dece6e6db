"""Run the judge's processes: their messages, and the template that forks judge children.

Messages are JSON behind four bytes of length. The template has imported the symbolic mathematics once. Since it has one
thread, a fork is safe, and since it reads nothing of an answer, no answer can slow it down or kill it. A child answers
questions one at a time in its main thread, under limits that the kernel keeps.
"""

import ctypes
import gc
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from reward_service.grading.verdicts import Verdict

LENGTH_BYTES = 4
LONGEST_BYTES = 1 << 20

Message = TypeVar("Message", bound=msgspec.Struct)


class JudgeLimits(msgspec.Struct, frozen=True):
    """The resources that a child may use, as the template is told at its start."""

    cpu_s: float = 2.0
    """CPU time (s) for one question; the kernel kills a child that has used it."""
    growth_bytes: int = 256 << 20
    """Address space (bytes) a child may add to what it is born with."""
    recycle_bytes: int = 96 << 20
    """A child whose resident memory has grown by this much (bytes) ends after its answer."""
    questions: int = 500
    """A child ends after this many answers."""


class Hello(msgspec.Struct, frozen=True):
    """The first message of a child."""

    pid: int


class JudgeQuestion(msgspec.Struct, frozen=True):
    """The question whether two answers are equal. `guarded` is False only in tests of the limits."""

    a: str
    b: str
    guarded: bool = True


class JudgeReply(msgspec.Struct, frozen=True):
    """A child's answer; a `last` one says that the child ends and wants to be replaced."""

    verdict: Verdict
    reason: str
    cpu_s: float
    last: bool = False


def framed(message: msgspec.Struct) -> bytes:
    """Return a message as bytes with their length in front."""
    payload = msgspec.json.encode(message)
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def length_of(prefix: bytes) -> int:
    """Return how many bytes follow; ValueError if no message of ours is as long."""
    length = int.from_bytes(prefix, "big")
    if length > LONGEST_BYTES:
        raise ValueError(f"a message of {length} bytes")
    return length


def receive(stream: socket.socket, kind: type[Message]) -> Message | None:
    """Wait for the next message and return it; None at the end of the stream."""
    prefix = _exactly(stream, LENGTH_BYTES)
    payload = _exactly(stream, length_of(prefix)) if prefix is not None else None
    return msgspec.json.decode(payload, type=kind) if payload is not None else None


def _exactly(stream: socket.socket, count: int) -> bytes | None:
    received = b""
    while len(received) < count:
        more = stream.recv(count - len(received))
        if not more:
            return None
        received += more
    return received


OPEN_FILES = 32
RECURSION = 1_500

Compare = Callable[..., tuple[Verdict, str]]
"""`comparing.compare`, which the template imports: it takes a second, and may fail."""


def warm_up(compare: Compare) -> None:
    """Build before the fork what parsers and simplifiers build at their first use."""
    for a, b in (
        (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}"),
        (r"\sin^2 x+\cos^2 x+y", "y+1"),
        (r"\sqrt[3]{2+\sqrt{5}}+\sqrt[3]{2-\sqrt{5}}", "1"),
        (r"\sum_{k=1}^{3} k", "6"),
        (r"x=2,\ y=[1,2)", r"\{x+1\}, \begin{pmatrix}1&2\end{pmatrix}"),
    ):
        compare(a, b)


def serve(stream: socket.socket, limits: JudgeLimits, compare: Compare) -> None:
    """Answer until the other end is closed, or until enough was answered or used."""
    _confine(limits)
    stream.sendall(framed(Hello(os.getpid())))
    born_bytes = _peak_bytes()
    for count in range(1, limits.questions + 1):
        question = receive(stream, JudgeQuestion)
        if question is None:
            return
        verdict, reason, cpu_s = _answered(question, limits.cpu_s, compare)
        tired = reason == "exhausted" or _peak_bytes() - born_bytes > limits.recycle_bytes
        last = tired or count == limits.questions
        stream.sendall(framed(JudgeReply(verdict, reason, cpu_s, last)))
        if last:
            return


def _answered(question: JudgeQuestion, cpu_s: float, compare: Compare) -> tuple[Verdict, str, float]:
    """Return the verdict, its reason and the CPU seconds. SIGPROF, left at its default, ends even code in C."""
    started_s = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        verdict, reason = compare(question.a, question.b, guarded=question.guarded)
    except (MemoryError, RecursionError):
        verdict, reason = Verdict.UNDECIDED, "exhausted"
    except Exception:  # the boundary: whatever a library makes of hostile text, the answer is that we do not know
        verdict, reason = Verdict.UNDECIDED, "error"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    return verdict, reason, time.process_time() - started_s


def _confine(limits: JudgeLimits) -> None:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    sys.setrecursionlimit(RECURSION)
    # A long integer that is written out takes time that grows with its square.
    sys.set_int_max_str_digits(5_000)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_AS, _address_space_bytes() + limits.growth_bytes)


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _address_space_bytes() -> int:
    if sys.platform != "linux":
        return 1 << 30
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Have this process killed when its parent dies; end at once if the parent is dead already (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def run(control: socket.socket, limits: JudgeLimits) -> None:
    """Fork a child for every socket that comes through `control`, until its other end is closed."""
    from reward_service.grading.comparing import compare

    warm_up(compare)
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
            serve(socket.socket(fileno=descriptors[0]), limits, compare)
            os._exit(0)
        os.close(descriptors[0])


def main() -> None:
    """Run the template. Arguments: the descriptor of the control socket, the pid of the judge, the limits as JSON."""
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
