"""Make the folders of a run, and leave no empty ones behind when the run is refused."""

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path


def try_folder(folder: Path) -> None:
    """Checks that the folder can be made and written to, and removes again what the check made.

    Raises:
        OSError: the folder cannot be made, or not be written to.
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
    """Makes the folder for the body of a `with`; if the body fails, removes what was made and is still empty.

    Raises:
        OSError: the folder cannot be made.
    """
    absent = _absent(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        _remove(absent)
        raise


def _absent(folder: Path) -> list[Path]:
    """Lists the folders that do not exist yet, the innermost first."""
    return [each for each in (folder, *folder.parents) if not each.exists()]


def _remove(folders: Sequence[Path]) -> None:
    for each in folders:
        with contextlib.suppress(OSError):  # somebody has put something there
            each.rmdir()
