"""Folders that are made for a run, and are not left behind empty by one that is refused."""

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path


def try_folder(folder: Path) -> None:
    """Returns if the folder can be made and written to; what was not there is not there afterwards either.

    Raises:
        OSError: it cannot.
    """
    absent = _absent(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "no permission to write", str(folder))
    finally:
        _remove(absent)


@contextlib.contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """The folder is there; should what is done meanwhile fail, so much of it goes again as was made and is empty.

    Raises:
        OSError: it cannot be made.
    """
    absent = _absent(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        _remove(absent)
        raise


def _absent(folder: Path) -> list[Path]:
    """What would have to be made, the innermost first."""
    return [each for each in (folder, *folder.parents) if not each.exists()]


def _remove(folders: Sequence[Path]) -> None:
    for each in folders:
        with contextlib.suppress(OSError):  # somebody has put something there
            each.rmdir()
