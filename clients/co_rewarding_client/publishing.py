"""Publish a trainer's weights to the teacher: write a folder, give it its name when it is whole, announce it."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from co_rewarding_client.client import RewardClient
from co_rewarding_client.errors import Conflict

KEPT_FOLDERS = 2  # the newest, and the one before, which the teacher may be reading

_log = logging.getLogger("co_rewarding_client")


class WeightPublisher:
    """Publishes the weights of a run's steps, from one process.

    Where the ranks write together, each makes its own publisher, and `announce` is called on one of them.
    """

    def __init__(self, run: str, folder: Path, *, attempt: int = 0, upload: bool = False) -> None:
        """Take where to write: the service's weights root as seen from here or, with `upload`, any folder."""
        self._run = run
        self._folder = folder
        self._attempt = attempt
        self._upload = upload
        self._published: list[Path] = []

    def write(self, step: int, write: Callable[[Path], object]) -> None:
        """Have `write` put the weights of `step` into a hidden folder, which it is given."""
        growing = self._growing(step)
        growing.mkdir(parents=True, exist_ok=True)
        write(growing)

    def announce(self, client: RewardClient, step: int) -> None:
        """Give the written folder its name, tell the service, and remove what no teacher reads any more.

        After a resume the teacher may be ahead of the step: it keeps its weights then, and a warning is logged.

        Raises:
            CoRewardingError: the service refuses or is away.
        """
        growing = self._growing(step)
        growing.chmod(0o755)
        for file in growing.iterdir():
            file.chmod(0o644)  # safetensors come with 0600, and the service may be another user
        folder = growing.with_name(growing.name.removeprefix("."))
        growing.rename(folder)
        try:
            client.publish(step, folder if self._upload else folder.name, upload=self._upload)
        except Conflict as conflict:
            _log.warning("weights of step %d are not taken, and training goes on: %s", step, conflict)
        self._published.append(folder)
        keep = 0 if self._upload else KEPT_FOLDERS
        gone = self._published[: max(0, len(self._published) - keep)]
        for old in gone:
            shutil.rmtree(old, ignore_errors=True)
        del self._published[: len(gone)]

    def _growing(self, step: int) -> Path:
        return self._folder / f".{self._run}.step-{step}.{self._attempt}"
