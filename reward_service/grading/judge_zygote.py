"""Forks judge children from a template process, which has imported the symbolic mathematics once.

The template has one thread, so a fork is safe, and reads nothing of an answer: no answer can slow it down or kill it. A
child answers questions one at a time in its main thread, under limits that the kernel keeps.
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

import msgspec

from reward_service.grading.judge_wire import Hello, JudgeLimits, JudgeQuestion, JudgeReply, framed, receive
from reward_service.grading.verdicts import Verdict

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
