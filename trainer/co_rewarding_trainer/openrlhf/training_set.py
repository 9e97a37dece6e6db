"""The training set that the data step wrote: which kind it is, and both of its views as OpenRLHF makes prompts."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

from co_rewarding_trainer.openrlhf.errors import TrainingSettingsError
from co_rewarding_trainer.openrlhf.foreign import Foreign
from co_rewarding_trainer.openrlhf.pairs import VIEWS

# The columns of a view: its prompt, and its label.
COLUMNS = {view: (view, f"label_{view}") for view in VIEWS}


def views_in(path: str | None) -> int:
    """How many views the questions of a data set have: 2 or 1, or 0 for one that our data step did not write.

    Raises:
        TrainingSettingsError: it is a file of JSON lines that cannot be read.
    """
    if not path or "," in path or not path.endswith(".jsonl"):
        return 0
    try:
        with Path(path).open(encoding="utf-8") as lines:
            first = json.loads(lines.readline())
    except (OSError, ValueError) as cause:
        raise TrainingSettingsError(f"the training set {path} cannot be read: {cause}") from cause
    if not isinstance(first, dict):
        return 0
    return sum(all(column in first for column in COLUMNS[view]) for view in VIEWS)


def halved(size: int, name: str) -> int:
    """Half of a number of views: as many questions.

    Raises:
        TrainingSettingsError: it is odd; a question would lose a view.
    """
    if size % len(VIEWS):
        raise TrainingSettingsError(
            f"--{name} is {size}: with pairs it must be even, for it counts the prompts of both views."
        )
    return size // len(VIEWS)


def of_view(strategy: Foreign, view: str) -> SimpleNamespace:
    """A stand-in for the strategy with which OpenRLHF's PromptDataset reads the columns of one view."""
    data = copy.copy(strategy.args.data)
    data.input_key, data.label_key = COLUMNS[view]
    return SimpleNamespace(args=SimpleNamespace(data=data), is_rank_0=strategy.is_rank_0)
