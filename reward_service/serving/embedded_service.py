"""Run a whole service within a command, for as long as the command needs one."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from reward_service.serving.supervisor import Supervisor
from reward_service.settings import settings_given


@contextlib.contextmanager
def embedded_service(folder: Path, *, workers: int = 1, teacher: Path | None = None) -> Iterator[str]:
    """A whole service over a folder, for a command that needs one while it runs: its URL, once it is ready.

    With a `teacher` (a model's folder) it takes weights below `folder`/weights.

    Raises:
        CoRewardingError: it did not start.
    """
    settings = settings_given(
        data_dir=folder,
        host="127.0.0.1",
        port=0,
        redis_url=None,
        durability="one",
        workers=workers,
        api_processes=1,
        api_keys=[],
        api_keys_file=None,
        log_level="WARNING",
        teacher=None if teacher is None else str(teacher),
        teacher_backend="transformers",
        teacher_dtype="float32",
        teacher_threads=1,  # a trainer has the other cores; threads that wait for a core wait for one another
        weights_root=None if teacher is None else folder / "weights",
    )
    if settings.weights_root is not None:
        settings.weights_root.mkdir(parents=True, exist_ok=True)
    supervisor = Supervisor(settings)
    with _left_when_ended(), supervisor.kept():
        supervisor.wait_ready()
        yield supervisor.url


@contextlib.contextmanager
def _left_when_ended() -> Iterator[None]:
    """Leave the block when the process is asked to end, as by a batch system: the service stops in its order."""
    heard = [signal.SIGTERM, signal.SIGHUP] if threading.current_thread() is threading.main_thread() else []
    heard = [each for each in heard if signal.getsignal(each) is signal.SIG_DFL]  # not under nohup

    def leave(number: int, _: object) -> None:
        for each in heard:
            signal.signal(each, signal.SIG_IGN)  # a second one would interrupt the closing
        raise SystemExit(128 + number)

    try:
        for each in heard:
            signal.signal(each, leave)
        yield
    finally:
        for each in heard:
            signal.signal(each, signal.SIG_DFL)
