"""Questions as pairs: their order, their labels, and what a rollout batch must look like."""

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
class Place:
    """Where in a training run a question is asked: epoch and step, both from 0, and which question it is."""

    epoch: int
    step: int
    index: int


@dataclass(frozen=True)
class Drawn:
    """What the loader gives for one question: P prompts and labels, one for each view (P is 1 or 2)."""

    prompts_P: tuple[str, ...]
    labels_P: tuple[str, ...]


class QuestionOrder(Sampler[Place]):
    """Questions in an order that depends on the seed and the epoch alone: a Place for each.

    A step counts rollout batches of `per_step` questions from 0, over all epochs: no question has the same step
    twice. Where questions are filtered out and replaced, a rollout batch holds questions of several steps.
    """

    def __init__(self, questions: int, per_step: int, seed: int, *, whole_steps: bool = False) -> None:
        """`questions` is how many there are; with `whole_steps` an epoch leaves out those that fill no step."""
        self.questions = questions
        self.asked = questions - questions % per_step if whole_steps else questions
        self.per_step = per_step
        self.seed = seed
        self.next_epoch = 0

    def __len__(self) -> int:
        """The questions of one epoch."""
        return self.asked

    def __iter__(self) -> "EpochOrder":
        """The next epoch."""
        epoch = self.next_epoch
        self.next_epoch = epoch + 1
        return EpochOrder(self, epoch)


class EpochOrder(Iterator[Place]):
    """One epoch under way; StatefulDataLoader keeps its state in the checkpoint and gives it back."""

    def __init__(self, order: QuestionOrder, epoch: int) -> None:
        """At its beginning."""
        self._order = order
        self._begin(epoch, 0)

    def __next__(self) -> Place:
        """The next question of the epoch."""
        if self._drawn == len(self._indices):
            raise StopIteration
        index, position = self._indices[self._drawn], self._drawn
        self._drawn += 1
        steps_per_epoch = -(-self._order.asked // self._order.per_step)
        return Place(self._epoch, self._epoch * steps_per_epoch + position // self._order.per_step, index)

    def state_dict(self) -> dict[str, int]:
        """Where it stands."""
        return {"epoch": self._epoch, "drawn": self._drawn}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Goes on where another stood; the epochs after it follow."""
        self._begin(state["epoch"], state["drawn"])
        self._order.next_epoch = self._epoch + 1

    def _begin(self, epoch: int, drawn: int) -> None:
        self._epoch, self._drawn = epoch, drawn
        generator = torch.Generator().manual_seed(self._order.seed * 1_000_003 + epoch)
        self._indices: list[int] = torch.randperm(self._order.questions, generator=generator).tolist()[
            : self._order.asked
        ]


class QuestionDataset(Dataset[tuple[str, Drawn]]):
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
        """Of V views, whose prompts and labels are in the same order.

        Labels say the attempt and, with `names_steps`, the step in which they are asked. Without, the attempt grows
        with the epoch, so that a question's rollouts are not taken for those of the epoch before. It counts seconds,
        and an epoch takes longer than one: a run that is started later has higher ones all the same.
        """
        self._prompts_V = prompts_V
        self._labels_V = labels_V
        self._sources = sources
        self._attempt = attempt
        self._names_steps = names_steps

    def __len__(self) -> int:
        """How many questions there are."""
        return len(self._sources)

    def __getitem__(self, place: Place) -> tuple[str, Drawn]:
        """The question of a place, its labels with when it is asked."""
        if self._names_steps:
            asked = {"step": place.step, "attempt": self._attempt}
        else:
            asked = {"attempt": self._attempt + place.epoch}
        prompts_P = tuple(prompts[place.index] for prompts in self._prompts_V)
        labels_P = tuple(labelled(labels[place.index], **asked) for labels in self._labels_V)
        return self._sources[place.index], Drawn(prompts_P, labels_P)


def collate(items: Sequence[tuple[str, Drawn]]) -> tuple[list[str], list[tuple[str, ...]], list[Any], list[None]]:
    """Items as OpenRLHF's loaders give them: sources, prompts, labels, images; a prompt is the views of a question."""
    return (
        [source for source, _ in items],
        [drawn.prompts_P for _, drawn in items],
        [drawn.labels_P for _, drawn in items],
        [None] * len(items),
    )


def check_whole_pairs(labels_B: Sequence[str], group_size: int) -> None:
    """Returns if a batch's B labels are pairs: `group_size` of a question's original, then as many of its paraphrase.

    Raises:
        BrokenPairsError: they are not; advantages would be normalised over strangers.
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


def labels_count_batches(args: Foreign) -> bool:
    """Whether a question that is the n-th to be drawn is learned from in rollout batch n / batch size.

    Not so where questions are filtered out, for others take their place, and where more are drawn than a batch takes,
    for what is left of them is lost when a run is resumed: there a label's step would run ahead of the weights.
    """
    drawn = args.rollout.vllm_generate_batch_size or args.rollout.batch_size
    return not args.algo.dynamic_filtering_enable and drawn <= args.rollout.batch_size


def _named(label: str) -> tuple[Any, Any]:
    identity = identity_in(label) or {}
    return identity.get("question_id"), identity.get("view", "original")
