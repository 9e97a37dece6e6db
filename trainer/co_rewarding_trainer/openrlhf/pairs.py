"""Order questions as pairs of views: the training set, its labels, and the check of a rollout batch."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler

from co_rewarding_trainer.openrlhf.errors import BrokenPairsError, TrainingSettingsError
from co_rewarding_trainer.openrlhf.foreign import Foreign
from co_rewarding_trainer.openrlhf.labels import identity_in, labelled

VIEWS = ("original", "paraphrase")
COLUMNS = {view: (view, f"label_{view}") for view in VIEWS}
"""The columns of a view: the prompt and the label."""


@dataclass(frozen=True, slots=True)
class QuestionPosition:
    """The epoch and the step, both from 0, in which a question is asked, and the question's index."""

    epoch: int
    step: int
    index: int


@dataclass(frozen=True)
class QuestionPrompts:
    """The P prompts and labels of one question, one for each view (P is 1 or 2)."""

    prompts_P: tuple[str, ...]
    labels_P: tuple[str, ...]


class QuestionOrder(Sampler[QuestionPosition]):
    """The order of the questions. Only seed and epoch decide the order.

    A step is a rollout batch of `per_step` questions. Steps count from 0 over all epochs, so that no question has the
    same step twice. Where questions are filtered out and replaced, a batch holds questions of several steps.
    """

    def __init__(self, questions: int, per_step: int, seed: int, *, whole_steps: bool = False) -> None:
        """Takes the number of questions; with `whole_steps` an epoch leaves out the questions that fill no step."""
        self.questions = questions
        self.asked = questions - questions % per_step if whole_steps else questions
        self.per_step = per_step
        self.seed = seed
        self.next_epoch = 0

    def __len__(self) -> int:
        """Returns the number of questions in one epoch."""
        return self.asked

    def __iter__(self) -> "EpochOrder":
        """Begins the next epoch."""
        epoch = self.next_epoch
        self.next_epoch = epoch + 1
        return EpochOrder(self, epoch)


class EpochOrder(Iterator[QuestionPosition]):
    """One epoch. StatefulDataLoader saves its state in the checkpoint, and loads the state after a resume."""

    def __init__(self, order: QuestionOrder, epoch: int) -> None:
        """Begins the epoch."""
        self._order = order
        self._begin(epoch, 0)

    def __next__(self) -> QuestionPosition:
        """Returns the next question of the epoch."""
        if self._drawn == len(self._indices):
            raise StopIteration
        index, position = self._indices[self._drawn], self._drawn
        self._drawn += 1
        steps_per_epoch = -(-self._order.asked // self._order.per_step)
        return QuestionPosition(self._epoch, self._epoch * steps_per_epoch + position // self._order.per_step, index)

    def state_dict(self) -> dict[str, int]:
        """Returns the epoch and the number of questions drawn."""
        return {"epoch": self._epoch, "drawn": self._drawn}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continues from a saved state; later epochs follow."""
        self._begin(state["epoch"], state["drawn"])
        self._order.next_epoch = self._epoch + 1

    def _begin(self, epoch: int, drawn: int) -> None:
        self._epoch, self._drawn = epoch, drawn
        generator = torch.Generator().manual_seed(self._order.seed * 1_000_003 + epoch)
        self._indices: list[int] = torch.randperm(self._order.questions, generator=generator).tolist()[
            : self._order.asked
        ]


class QuestionDataset(Dataset[tuple[str, QuestionPrompts]]):
    """The questions of a training set: prompts and labels of each view, and where they come from."""

    def __init__(
        self,
        prompts_V: Sequence[Sequence[str]],
        labels_V: Sequence[Sequence[str]],
        sources: Sequence[str],
        attempt: int,
        *,
        names_steps: bool = True,
    ) -> None:
        """Takes prompts and labels of V views, all in the same order.

        Labels name the attempt and, with `names_steps`, the step in which the question is asked. Without steps the
        attempt grows by 1 in each epoch, so that a question's rollouts are not taken for those of the epoch before.
        Attempts are seconds, and an epoch takes longer than a second: a run started later still has higher attempts.
        """
        self._prompts_V = prompts_V
        self._labels_V = labels_V
        self._sources = sources
        self._attempt = attempt
        self._names_steps = names_steps

    def __len__(self) -> int:
        """Returns the number of questions."""
        return len(self._sources)

    def __getitem__(self, place: QuestionPosition) -> tuple[str, QuestionPrompts]:
        """Returns the source and the views of a question, with its step and attempt in the labels."""
        if self._names_steps:
            asked = {"step": place.step, "attempt": self._attempt}
        else:
            asked = {"attempt": self._attempt + place.epoch}
        prompts_P = tuple(prompts[place.index] for prompts in self._prompts_V)
        labels_P = tuple(labelled(labels[place.index], **asked) for labels in self._labels_V)
        return self._sources[place.index], QuestionPrompts(prompts_P, labels_P)


def collate(
    items: Sequence[tuple[str, QuestionPrompts]],
) -> tuple[list[str], list[tuple[str, ...]], list[Any], list[None]]:
    """Makes a batch as OpenRLHF's loaders do: sources, prompts, labels, images. A prompt is a question's views."""
    return (
        [source for source, _ in items],
        [drawn.prompts_P for _, drawn in items],
        [drawn.labels_P for _, drawn in items],
        [None] * len(items),
    )


def check_whole_pairs(labels_B: Sequence[str], group_size: int) -> None:
    """Checks that B labels are pairs: `group_size` of a question's original, then as many of its paraphrase.

    Raises:
        BrokenPairsError: they are not; advantages would be normalised over different questions.
    """
    size = 2 * group_size
    if len(labels_B) % size:
        raise BrokenPairsError(
            f"a rollout batch holds {len(labels_B)} rollouts, which is no multiple of 2 views of {group_size} rollouts"
        )
    for start in range(0, len(labels_B), size):
        found = [_named(label) for label in labels_B[start : start + size]]
        question = found[0][0]
        if found != [(question, view) for view in VIEWS for _ in range(group_size)]:
            raise BrokenPairsError(
                f"rollouts {start} to {start + size - 1} of a batch are not {group_size} of each view of question "
                f"{question!r}: was the data set made by `co-rewarding train`?"
            )


def views_in(path: str | None) -> int:
    """Counts the views of a data set's questions: 2 or 1, or 0 for a data set that `train` did not write.

    Raises:
        TrainingSettingsError: the data set is a file of JSON lines that cannot be read.
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
    """Turns a number of prompts into a number of questions with two views.

    Raises:
        TrainingSettingsError: the number is odd; a question would lose a view.
    """
    if size % len(VIEWS):
        raise TrainingSettingsError(
            f"--{name} is {size}: with pairs it must be even, for it counts the prompts of both views."
        )
    return size // len(VIEWS)


def strategy_of_view(strategy: Foreign, view: str) -> SimpleNamespace:
    """Makes a small strategy with which OpenRLHF's PromptDataset reads the columns of one view."""
    data = copy.copy(strategy.args.data)
    data.input_key, data.label_key = COLUMNS[view]
    return SimpleNamespace(args=SimpleNamespace(data=data), is_rank_0=strategy.is_rank_0)


def labels_count_batches(args: Foreign) -> bool:
    """Returns whether the n-th question drawn is always trained on in rollout batch n / batch size.

    False where questions are filtered out, because others replace them. False too where more questions are drawn than
    a batch takes, because a resumed run loses the rest. A label's step would then run ahead of the weights.
    """
    drawn = args.rollout.vllm_generate_batch_size or args.rollout.batch_size
    return not args.algo.dynamic_filtering_enable and drawn <= args.rollout.batch_size


def _named(label: str) -> tuple[Any, Any]:
    identity = identity_in(label) or {}
    return identity.get("question_id"), identity.get("view", "original")
