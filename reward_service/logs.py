"""Write structured logs: JSON lines for a collector, or lines for a person at a terminal."""

import contextlib
import logging
import sys
import warnings
from typing import Any, TextIO, cast

import structlog

OURS = ("co_rewarding", "reward_service")
"""How the names of our own loggers begin."""


class _Lossy:
    """A stream that drops what it cannot write: a disk that is full, or a closed pipe, must end no task that logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _OfLibraries(logging.Handler):
    """Hands on what libraries log, so that a collector finds nothing else in a log of JSON lines."""

    def emit(self, record: logging.LogRecord) -> None:
        told = structlog.get_logger(record.name).bind(logger=record.name)
        told.log(record.levelno, record.getMessage(), **({"exc_info": record.exc_info} if record.exc_info else {}))


def configure_logging(*, as_json: bool | None = None, level: str = "INFO") -> None:
    """Logs as JSON lines (containers) or for a person at a terminal; to standard error, which never holds results.

    None chooses by whether there is a terminal. Warnings of libraries go the same way.
    """
    as_json = not sys.stderr.isatty() if as_json is None else as_json
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Lossy(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_OfLibraries()], level=logging.WARNING)


def quiet_libraries() -> None:
    """Hide warnings of libraries from a person who looks at a bar or a table; errors, and what is ours, is shown.

    Whoever asks Python for warnings (-W, PYTHONWARNINGS) sees them.
    """
    if sys.warnoptions:
        return
    warnings.simplefilter("ignore")
    handler = logging.StreamHandler(cast("TextIO", _Lossy(sys.stderr)))
    handler.addFilter(lambda record: record.levelno >= logging.ERROR or record.name.startswith(OURS))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, format="%(message)s")
