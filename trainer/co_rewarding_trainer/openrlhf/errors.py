"""Define the errors of a training run, below the client's own: `except CoRewardingError` catches both."""

import difflib
from collections.abc import Iterable, Sequence

from co_rewarding_client import CoRewardingError


class TrainingError(CoRewardingError):
    """Stops a training run; the message says what is wrong, where, and what to do."""


class TrainingSettingsError(TrainingError):
    """A CO_REWARDING_ variable, an argument or the data set is not what training needs; the message says which."""


class UnsupportedOpenRLHFError(TrainingError):
    """The OpenRLHF that is installed is not the one whose seams are overridden."""


class BrokenPairsError(TrainingError):
    """A rollout batch does not hold both views of its questions, group by group."""


class RecipeError(TrainingError):
    """A recipe cannot be read, or has wrong keys or values; the message has file and key, and what would be right."""


class DataError(TrainingError):
    """The questions cannot be read, or make no data set."""


class PreflightError(TrainingError):
    """The run would fail later; `problems` has one line for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Takes all problems, so that they can be corrected together."""
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        """Writes the problems as a numbered list."""
        count = "one problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = (f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1))
        return "\n".join((f"this run would fail: {count}", *lines))


def nearest(name: str, known: Iterable[str]) -> str:
    """Writes the end of a message about an unknown name: the nearest known one, or all of them if none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"choose from {', '.join(names)}"
