"""What can go wrong with a training run, as one small tree. Its root is the client's, so that one catches both."""

import difflib
from collections.abc import Iterable, Sequence

from co_rewarding_client import CoRewardingError


class TrainingError(CoRewardingError):
    """The root of what a training run is stopped by; the message says where it is wrong and what to do."""


class TrainingSettingsError(TrainingError):
    """A CO_REWARDING_ variable, an argument or the data set is not what training needs; the message says which."""


class UnsupportedOpenRLHFError(TrainingError):
    """The OpenRLHF that is installed is not the one whose seams are overridden."""


class BrokenPairsError(TrainingError):
    """A rollout batch does not hold both views of its questions, group by group."""


class RecipeError(TrainingError):
    """A recipe cannot be read, or says what no recipe can say: the file, the key, and what would be right."""


class DataError(TrainingError):
    """The questions cannot be read, or not made into a data set."""


class PreflightError(TrainingError):
    """The run would have failed later; `problems` has everything that was found, one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        """All of them, since each may take a while to put right."""
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        """A numbered list."""
        count = "one problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = (f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1))
        return "\n".join((f"this run would fail: {count}", *lines))


def nearest(name: str, known: Iterable[str]) -> str:
    """What `name` was probably meant to be, as the end of a message; all names where none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"choose from {', '.join(names)}"
