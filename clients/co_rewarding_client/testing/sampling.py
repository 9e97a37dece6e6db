"""Sample steps as a trainer does, without a model: questions in two views, groups of responses, cut into calls."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from co_rewarding_schema.vocabulary import View

from co_rewarding_client.testing.cases import Case, Order

Unit = Literal["rollout", "group", "batch"]
"""What a framework hands over in one call: a rollout, a group of one view, or all that a process has of a step."""

GROUP_SIZE = 4
EVALUATION_GROUP_SIZE = 2
ANSWERS = 3
SAME_TEXT_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """One rollout. `index` is its place in the group of its question and view; `answer` is what is in its box."""

    question_id: str
    view: str
    index: int
    prompt: str
    response: str
    answer: str | None
    ground_truth: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What a framework hands over in one call of the process `rank` of `ranks`.

    `first` is the place of the first of `rollouts` in the order of the whole step, over all processes.
    """

    rollouts: tuple[Sampled, ...]
    step: int
    rank: int = 0
    ranks: int = 1
    first: int = 0
    evaluate: bool = False


def step_of(case: Case, seed: str) -> list[Sampled]:
    """Return the rollouts of a step in the order of sampling; the same for the same seed."""
    chance = random.Random(f"{case.name}/{seed}")  # noqa: S311 - reproducible, not secret
    groups = [
        [_rollout(chance, question, view, index) for index in range(GROUP_SIZE)]
        for question in range(case.questions)
        for view in _views(question, case)
    ]
    if case.order is Order.VIEWS:
        groups.sort(key=lambda group: group[0].view != View.ORIGINAL)
    elif case.order is Order.RANDOM:
        chance.shuffle(groups)
    return [rollout for group in groups for rollout in group]


def evaluation_of(case: Case, seed: str) -> list[Sampled]:
    """Return the rollouts of an evaluation of the step's questions: the originals, half with a ground truth."""
    chance = random.Random(f"{case.name}/evaluation/{seed}")  # noqa: S311
    return [
        replace(
            _rollout(chance, question, View.ORIGINAL, index),
            ground_truth=str(question % ANSWERS) if question % 2 else None,
        )
        for question in range(case.questions)
        for index in range(EVALUATION_GROUP_SIZE)
    ]


def calls_of(rollouts: Sequence[Sampled], case: Case, unit: Unit, step: int) -> list[list[Handed]]:
    """Return the calls of each process, in the order in which the process makes them.

    Processes have equal shares of the order of sampling, so that a share may begin in the middle of a group.
    """
    share = -(-len(rollouts) // case.ranks)
    return [
        _of_rank(rollouts[rank * share : (rank + 1) * share], rank, rank * share, case, unit, step)
        for rank in range(case.ranks)
    ]


def copies_in(rollouts: Sequence[Sampled]) -> list[Sampled]:
    """Return the rollouts whose copies fill a batch: one a question, the last of a view, which would turn a vote."""
    return [rollout for rollout in rollouts if rollout.index == GROUP_SIZE - 1 and rollout.view == View.ORIGINAL]


def can_complete(ranks: Sequence[Sequence[Handed]], in_flight: int) -> bool:
    """Return whether all calls can end, where each waits for the cohorts of its rollouts to be whole."""
    whole: dict[str, int] = {}
    for call in (call for calls in ranks for call in calls):
        for rollout in call.rollouts:
            whole[rollout.question_id] = whole.get(rollout.question_id, 0) + 1
    arrived = dict.fromkeys(whole, 0)
    waiting: list[list[Handed]] = [[] for _ in ranks]
    coming = [list(calls) for calls in ranks]
    while any(coming) or any(waiting):
        moved = False
        for flying, next_ones in zip(waiting, coming, strict=True):
            while next_ones and len(flying) < in_flight:
                flying.append(call := next_ones.pop(0))
                for rollout in call.rollouts:
                    arrived[rollout.question_id] += 1
                moved = True
        for flying in waiting:
            for call in list(flying):
                if all(arrived[rollout.question_id] == whole[rollout.question_id] for rollout in call.rollouts):
                    flying.remove(call)
                    moved = True
        if not moved:
            return False
    return True


def _of_rank(rollouts: Sequence[Sampled], rank: int, first: int, case: Case, unit: Unit, step: int) -> list[Handed]:
    whole = Handed(rollouts=tuple(rollouts), step=step, rank=rank, ranks=case.ranks, first=first)
    if unit == "batch":
        return [whole]
    calls: list[Handed] = []
    for start, end in _cuts(rollouts, unit):
        calls.append(replace(whole, rollouts=tuple(rollouts[start:end]), first=first + start))
    if case.order is Order.RANDOM:
        random.Random(f"{case.name}/{rank}").shuffle(calls)  # noqa: S311
    return calls


def _cuts(rollouts: Sequence[Sampled], unit: Unit) -> Iterator[tuple[int, int]]:
    start = 0
    for at in range(1, len(rollouts) + 1):
        if (
            at == len(rollouts)
            or unit == "rollout"
            or (rollouts[at].question_id, rollouts[at].view) != (rollouts[start].question_id, rollouts[start].view)
        ):
            yield start, at
            start = at


def _views(question: int, case: Case) -> tuple[View, ...]:
    return (View.ORIGINAL,) if question < case.lone_questions else (View.ORIGINAL, View.PARAPHRASE)


def _rollout(chance: random.Random, question: int, view: View, index: int) -> Sampled:
    """Sample one response. Small models repeat themselves: half of the responses with one answer are one text."""
    answer = None if chance.random() < 1 / 16 else str(_favourite(question, view, chance))
    unique = "" if chance.random() < SAME_TEXT_SHARE else f" (rollout {index}, {chance.randrange(10**6)})"
    ends = "and I do not know" if answer is None else f"so it is \\boxed{{{answer}}}"
    return Sampled(
        question_id=f"q{question}",
        view=view.value,
        index=index,
        prompt=f"Question {question} as {view.value}?",
        response=f"Let me think{unique}, {ends}.",
        answer=answer,
    )


def _favourite(question: int, view: View, chance: random.Random) -> int:
    """Return an answer; views of a question prefer different ones, so that a vote of the own view shows."""
    preferred = (question + (view is View.PARAPHRASE)) % ANSWERS
    return preferred if chance.random() < 0.6 else chance.randrange(ANSWERS)
