"""Settle a recording under one method and one grader, by the domain's rules: one column of a replay."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from co_rewarding_schema.errors import UnknownMethodError
from co_rewarding_schema.methods import METHODS, Method, method_named
from co_rewarding_schema.vocabulary import Conventions, View, Voter

from reward_service.domain.cohort import Ballot
from reward_service.domain.settlement import settle
from reward_service.grading.verdicts import Grader
from reward_service.tools.replay.cpu import CpuStopwatch
from reward_service.tools.replay.errors import ReplayError
from reward_service.tools.replay.recording import RecordedQuestion, Recording

_TRUTH = "ground truth"


@dataclass(frozen=True, slots=True)
class SettledQuestion:
    """What a question came to: the elected answer of each view that has a label, and the rewards of its B ballots."""

    labels: Mapping[View, str]
    rewards_B: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """What a recording came to under a method and a grader.

    Attributes:
        settled_Q: its questions, in the recording's order.
        undecided: comparisons that the grader gave up on.
        cohort_cpu_s: seconds of CPU time that grading took, for each cohort.
    """

    method: str
    grader: str
    settled_Q: tuple[SettledQuestion, ...]
    undecided: int
    cohort_cpu_s: tuple[float, ...]

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.method} / {self.grader}"


def replayable(name: str) -> Method:
    """The method of that name, if rollouts in a file are all that its labels need.

    Raises:
        ReplayError: there is none, or its labels come from a teacher, or it has none.
    """
    try:
        method = method_named(name)
    except UnknownMethodError as cause:
        raise ReplayError(f"--method: {cause}") from cause
    others = ", ".join(row.name for row in METHODS.values() if _replayable(row))
    if method.needs_teacher:
        raise ReplayError(
            f"--method: a teacher elects the labels of {name}, and a file holds the rollouts of a policy; "
            f"choose among {others}"
        )
    if not _replayable(method):
        raise ReplayError(
            f"--method: {name} has no labels to compare, its reward is a statistic that a rollout brings along; "
            f"`co-rewarding score` gives these, and here you may choose among {others}"
        )
    return method


async def settle_column(
    recording: Recording,
    method: Method,
    grader: Grader,
    grader_name: str,
    conventions: Conventions,
    advance: Callable[[int], object],
) -> Column:
    """Settles every question; `advance` is told how many rollouts are done after each."""
    settling = _Settling(method, grader, conventions)
    settled: list[SettledQuestion] = []
    for question in recording.questions_Q:
        settled.append(await settling.question(question))
        advance(len(question.ballots_B))
        await asyncio.sleep(0)  # a grader may never wait, and Ctrl-C is heard where something does
    return Column(method.name, grader_name, tuple(settled), settling.undecided, tuple(settling.cohort_cpu_s))


class _Settling:
    """What is counted on the way."""

    def __init__(self, method: Method, grader: Grader, conventions: Conventions) -> None:
        self._method = method
        self._grader = grader
        self._conventions = conventions
        self.undecided = 0
        self.cohort_cpu_s: list[float] = []

    async def question(self, question: RecordedQuestion) -> SettledQuestion:
        labels: dict[View, str] = {}
        rewards: dict[int, float | None] = {}
        for indices in _cohorts(self._method, question):
            ballots_B = [question.ballots_B[index] for index in indices]
            stopwatch = CpuStopwatch()
            class_of, truth = await self._classes(question, ballots_B)
            self.cohort_cpu_s.append(stopwatch.elapsed_s())
            settlement = settle(self._method, [_classed(ballot, class_of, truth) for ballot in ballots_B])
            rewards.update(zip(indices, settlement.rewards_B, strict=True))
            labels |= {label.view: label.answer for label in settlement.labels}
        return SettledQuestion(labels, tuple(rewards[index] for index in range(len(question.ballots_B))))

    async def _classes(
        self, question: RecordedQuestion, ballots_B: Sequence[Ballot]
    ) -> tuple[Mapping[str, str], str | None]:
        """The class of each answer, and the ground truth if it is to be the label.

        Where it is, each answer is compared with it and with nothing else, and those that differ need no class. Where
        answers vote, the ground truth has no say in what is equal.
        """
        # In the order of the file, for a grader to which the order matters.
        answers = list(dict.fromkeys(ballot.answer for ballot in ballots_B if ballot.answer is not None))
        if not self._method.needs_ground_truth:
            classes = await self._grader.classify(answers, self._conventions)
            self.undecided += classes.undecided
            return classes.class_of, None
        truth = question.truths.get(ballots_B[0].view)  # without an electorate a cohort is one view
        if truth is None:
            return {}, None
        matches = await self._grader.match(truth, answers, self._conventions)
        self.undecided += matches.undecided
        return dict.fromkeys(matches.equal, _TRUTH), truth


def _cohorts(method: Method, question: RecordedQuestion) -> Iterator[list[int]]:
    """The ballots that are decided together, as indices."""
    for views in dict.fromkeys(method.views_decided_with(view) for view in question.views):
        yield [index for index, ballot in enumerate(question.ballots_B) if ballot.view in views]


def _classed(ballot: Ballot, class_of: Mapping[str, str], truth: str | None) -> Ballot:
    return ballot._replace(
        answer_class=None if ballot.answer is None else class_of.get(ballot.answer),
        ground_truth_class=_TRUTH if truth is not None and ballot.ground_truth == truth else None,
    )


def _replayable(method: Method) -> bool:
    return method.has_labels and method.voters <= {Voter.POLICY} and method.evidence is None
