"""Survey a file first, and show the progress bar: the beginning of `score` and `replay`."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from reward_service.tools.replay.batches import Census, take_census
from reward_service.tools.replay.errors import RolloutFileError
from reward_service.tools.replay.fields import FieldNames, layout_of
from reward_service.tools.replay.rollout_files import RolloutFile
from reward_service.tools.replay.sources import open_source, sample_of


def open_rollouts(path: Path, names: FieldNames) -> RolloutFile:
    """A file with its layout.

    Raises:
        RolloutFileError: it cannot be read, or a field is not found.
    """
    source = open_source(path)
    return RolloutFile(source, layout_of(sample_of(source), names, str(path)))


def counted(file: RolloutFile, bar: Progress) -> Census:
    """Reads the file to its end, and counts.

    Raises:
        RolloutFileError: a row cannot be read, or there are no rollouts.
    """
    census = take_census(bar.track(file.rollouts(), description="reading"))
    if not census.rollouts:
        raise RolloutFileError(f"{file.source.path}: its rows hold no rollouts, only empty lists")
    return census


def progress_bar(console: Console) -> Progress:
    """A bar with counts, the time and how much is left; it shows on a terminal only."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
