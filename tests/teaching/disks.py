"""A disk without room, for as long as a test says."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def little_room() -> Iterator[None]:
    """No file of this process may be longer than 2000 bytes meanwhile, as if the disk were full.

    Keep it around the one call that is to fail: pytest's own report may be a longer file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
