"""A service with everything of its own, to be killed and started again under the same address."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.served import Served


@contextmanager
def restarted() -> Iterator[Served]:
    """A service with two API processes and two workers."""
    folder = Path(tempfile.mkdtemp(prefix="cr-", dir="/tmp"))
    made = Served(folder / "data", "--workers", "2", "--api-processes", "2")
    made.start()
    try:
        yield made
    finally:
        made.kill()
        shutil.rmtree(folder)
