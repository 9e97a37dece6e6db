"""Say which rows of a data set a trainer samples together, and check that the views of each question meet there.

For TRL and what is built on it: rows are sampled in their order, some prompts at a time, each of them G times.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from co_rewarding_schema.vocabulary import View

from co_rewarding_client.errors import invalid
from co_rewarding_client.foreign import Foreign

BOTH = {view.value for view in View}


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which rows are sampled together, and in which step, when nothing shuffles them.

    Attributes:
        rows: rows of the data set; those behind the last whole batch are never sampled.
        prompts: rows of a batch, which are sampled together.
        repeats: micro-batches of training that one batch serves.
        accumulation: micro-batches of a training step.
    """

    rows: int
    prompts: int
    repeats: int = 1
    accumulation: int = 1

    @classmethod
    def of_trainer(cls, args: Foreign, rows: int) -> "Sampling":
        """Read it off the arguments of a trainer: a GRPOConfig of TRL's, or one like it."""
        return cls(
            rows=rows,
            prompts=args.generation_batch_size // args.num_generations,
            repeats=args.steps_per_generation * getattr(args, "num_iterations", 1),
            accumulation=args.gradient_accumulation_steps,
        )

    @property
    def micro_batches(self) -> int:
        """Count the micro-batches of an epoch."""
        return self.rows // self.prompts * self.repeats

    @property
    def steps(self) -> int:
        """Count the training steps of an epoch."""
        return max(1, math.ceil(self.micro_batches / self.accumulation))

    def batches_of(self, step: int) -> list[range]:
        """Return the rows of each batch that `step` learns from; the rows come again in each epoch."""
        first = step % self.steps * self.accumulation
        behind = min(first + self.accumulation, self.micro_batches)
        numbers = range(first // self.repeats, math.ceil(behind / self.repeats))
        return [range(number * self.prompts, (number + 1) * self.prompts) for number in numbers]


def check_flags(args: Foreign) -> None:
    """Refuse arguments of a trainer, as for `Sampling.of_trainer`, under which the views of a question do not meet.

    Raises:
        InvalidRequest: with the flags that are wrong, and values to set.
    """
    if args.shuffle_dataset:
        raise invalid(
            "shuffle_dataset=True samples the two views of a question apart, and each is labelled by the other: set "
            "shuffle_dataset=False; paired(questions, epochs=N) shuffles the questions and keeps their views together"
        )
    prompts = args.generation_batch_size // args.num_generations
    if prompts % 2:
        size, steps = args.per_device_train_batch_size, args.steps_per_generation
        raise invalid(
            f"an odd number of prompts, {prompts}, is sampled together, so a view is parted from the other of its "
            f"question: make the number even, by per_device_train_batch_size={2 * size} in place of {size}, or "
            f"steps_per_generation={2 * steps} in place of {steps} (prompts = per_device_train_batch_size x "
            f"steps_per_generation x {args.world_size} processes / {args.num_generations} generations)"
        )


def check_data(args: Foreign, data: Foreign) -> None:
    """Refuse a data set in which a question is sampled without its other view, or twice in one step.

    A stream cannot be looked through, and is not refused.

    Raises:
        InvalidRequest: with the first rows for which this holds, and the cure.
    """
    names = getattr(data, "column_names", None)
    if names is None or not hasattr(data, "__len__"):
        return
    if missing := {"question_id", "view"} - set(names):
        raise invalid(
            f"the training data have no column {' and no column '.join(sorted(missing))}, which tell the pairs: make "
            "them by paired(questions)"
        )
    check_pairs(Sampling.of_trainer(args, len(data)), list(data["question_id"]), list(data["view"]))


def check_pairs(sampling: Sampling, question_ids: Sequence[object], views: Sequence[str]) -> None:
    """Refuse rows as `check_data` does."""
    for step in range(sampling.steps):
        times: Counter[tuple[object, str]] = Counter()
        batches = sampling.batches_of(step)
        for rows in batches:
            found: dict[object, set[str]] = {}
            for row in rows:
                found.setdefault(question_ids[row], set()).add(views[row])
                times[question_ids[row], views[row]] += 1
            for question_id, present in found.items():
                if present != BOTH:
                    raise invalid(_parted(question_id, present, rows))
        if times and max(times.values()) > 1:
            (question_id, _), count = times.most_common(1)[0]
            raise invalid(
                f"question {question_id!r} stands {count} times among rows {batches[0].start} to "
                f"{batches[-1].stop - 1}, which are sampled in one step, so its rollouts cannot be told apart: use "
                "more questions, sample fewer prompts a step, or give each copy a question_id of its own"
            )


def _parted(question_id: object, present: set[str], rows: range) -> str:
    if unknown := present - BOTH:
        return f"rows {rows.start} to {rows.stop - 1} hold the view {min(unknown)!r}; a view is one of {sorted(BOTH)}"
    return (
        f"rows {rows.start} to {rows.stop - 1} are sampled together and hold question {question_id!r} in the view "
        f"{min(present)!r} alone: put both views of a question side by side, as paired(questions) does"
    )


def numbered(groups: Sequence[object], responses: Sequence[str], first: int, size: int) -> list[int]:
    """Number the rollouts of a part of a batch within their groups, of which the first may have begun before it.

    `groups` names the group of each; `first` is the place of the part in the batch, which holds `size` rollouts of each
    group side by side. More of a group are copies that fill the batch: each has the number of what it copies.

    Raises:
        InvalidRequest: one is no copy, so a question was sampled twice.
    """
    counts: Counter[object] = Counter()
    if groups:
        counts[groups[0]] = first % size
    known: dict[tuple[object, str], int] = {}
    numbers: list[int] = []
    for group, response in zip(groups, responses, strict=True):
        number = counts[group] if counts[group] < size else known.get((group, response))
        if number is None:
            raise invalid(f"more than {size} rollouts of {group!r} come in one batch: sample each question once a step")
        counts[group] += 1
        known.setdefault((group, response), number)
        numbers.append(number)
    return numbers
