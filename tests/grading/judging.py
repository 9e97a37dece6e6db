"""What the tests of the judge share: its processes, as the operating system sees them."""

import os

import psutil

HOSTILE = r"9^{9^{9^{9}}}"
"""A text that the guards refuse; without them it takes all the CPU there is."""


def descendants(pid: int | None = None) -> list[psutil.Process]:
    """The living processes below one that hold memory: what only waits to be buried does not count."""
    found: list[psutil.Process] = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.memory_info().rss > 0:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def templates(pid: int | None = None) -> list[psutil.Process]:
    """The template processes of a process's own judges: a service that it started has judges too, further below."""
    own = os.getpid() if pid is None else pid
    return [process for process in descendants(own) if _is_template(process, own)]


def _is_template(process: psutil.Process, of: int) -> bool:
    try:
        return process.ppid() == of and any("judge_process" in part for part in process.cmdline())
    except psutil.NoSuchProcess:
        return False


def judge_children(pid: int | None = None) -> list[psutil.Process]:
    """The children of a process's templates."""
    return [child for template in templates(pid) for child in descendants(template.pid)]
