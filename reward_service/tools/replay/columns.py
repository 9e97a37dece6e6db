"""Settle a recording under one method and one grader, by the domain's rules: one column of a replay."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from co_rewarding_schema.methods import Gate, Method
from co_rewarding_schema.vocabulary import Conventions, View

from reward_service.domain.cohort import Ballot
from reward_service.domain.elections import MethodParameters, instability
from reward_service.domain.settlement import settle
from reward_service.grading.verdicts import Grader
from reward_service.tools.replay.cpu import CpuStopwatch
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


async def settle_column(
    recording: Recording,
    method: Method,
    grader: Grader,
    grader_name: str,
    conventions: Conventions,
    advance: Callable[[int], object],
    parameters: MethodParameters | None = None,
) -> Column:
    """Settles every question, step by step; `advance` is told how many rollouts are done after each."""
    settling = _Settling(method, grader, conventions, parameters or MethodParameters())
    questions_Q = recording.questions_Q
    settled: dict[int, SettledQuestion] = {}
    for place in sorted(range(len(questions_Q)), key=lambda place: _step_of(questions_Q[place])):
        settled[place] = await settling.question(questions_Q[place])
        advance(len(questions_Q[place].ballots_B))
        await asyncio.sleep(0)  # a grader may never wait, and Ctrl-C is heard where something does
    in_order = tuple(settled[place] for place in range(len(questions_Q)))
    return Column(method.name, grader_name, in_order, settling.undecided, tuple(settling.cohort_cpu_s))


class _Settling:
    """What is counted on the way, and each question's labels so far."""

    def __init__(self, method: Method, grader: Grader, conventions: Conventions, parameters: MethodParameters) -> None:
        self._method = method
        self._grader = grader
        self._conventions = conventions
        self._parameters = parameters
        self._labels_of: dict[tuple[str, View], list[str]] = defaultdict(list)
        self._keeps_labels = any(Gate.STABILITY in rule.gates for rule in method.rules.values())
        self.undecided = 0
        self.cohort_cpu_s: list[float] = []

    async def question(self, question: RecordedQuestion) -> SettledQuestion:
        labels: dict[View, str] = {}
        rewards: dict[int, float | None] = {}
        for indices, electors_E in _cohorts(self._method, question):
            ballots_B = [question.ballots_B[index] for index in indices]
            stopwatch = CpuStopwatch()
            class_of, truth = await self._classes(question, [*ballots_B, *electors_E])
            self.cohort_cpu_s.append(stopwatch.elapsed_s())
            decided = partial(
                settle,
                self._method,
                [_classed(ballot, class_of, truth) for ballot in ballots_B],
                self._parameters,
                electors_E=[_classed(ballot, class_of, None) for ballot in electors_E],
                identity=f"replay\n{question.question_id}\n{question.step}\n0",
            )
            settlement = decided()
            if self._keeps_labels:
                elected = {label.view: label.answer for label in settlement.labels}
                settlement = decided(instability_of=await self._instability(question.question_id, elected))
            rewards.update(zip(indices, settlement.rewards_B, strict=True))
            labels |= {label.view: label.answer for label in settlement.labels}
        return SettledQuestion(labels, tuple(rewards[index] for index in range(len(question.ballots_B))))

    async def _instability(self, question_id: str, elected: Mapping[View, str]) -> dict[View, float]:
        """Note the labels that a question has now; return how unstable the last ones of each view are."""
        found: dict[View, float] = {}
        for view, answer in elected.items():
            kept = self._labels_of[question_id, view]
            kept.append(answer)
            del kept[: -self._parameters.stability_window]
            classes = await self._grader.classify(list(dict.fromkeys(kept)), self._conventions)
            self.undecided += classes.undecided
            found[view] = instability([classes.class_of[label] for label in kept])
        return found

    async def _classes(
        self, question: RecordedQuestion, ballots: Sequence[Ballot]
    ) -> tuple[Mapping[str, str], str | None]:
        """The class of each answer, and the ground truth if it is to be the label.

        Where it is, each answer is compared with it and with nothing else, and those that differ need no class. Where
        answers vote, the ground truth has no say in what is equal.
        """
        # In the order of the file, for a grader to which the order matters.
        answers = list(dict.fromkeys(ballot.answer for ballot in ballots if ballot.answer is not None))
        if not self._method.has_labels:
            return {}, None
        if not self._method.needs_ground_truth:
            classes = await self._grader.classify(answers, self._conventions)
            self.undecided += classes.undecided
            return classes.class_of, None
        truth = question.truths.get(ballots[0].view)  # without an electorate a cohort is one view
        if truth is None:
            return {}, None
        matches = await self._grader.match(truth, answers, self._conventions)
        self.undecided += matches.undecided
        return dict.fromkeys(matches.equal, _TRUTH), truth


def _cohorts(method: Method, question: RecordedQuestion) -> Iterator[tuple[list[int], list[Ballot]]]:
    """The policy's ballots that are decided together, as indices, and the ballots of others that elect with them."""
    for views in dict.fromkeys(method.views_decided_with(view) for view in question.views):
        boxes = {box for view in views for box in method.rules[view].boxes}
        yield (
            [index for index, ballot in enumerate(question.ballots_B) if ballot.view in views],
            [ballot for ballot in question.electors_E if (ballot.voter, ballot.view) in boxes],
        )


def _step_of(question: RecordedQuestion) -> int:
    return -1 if question.step is None else question.step


def _classed(ballot: Ballot, class_of: Mapping[str, str], truth: str | None) -> Ballot:
    return ballot._replace(
        answer_class=None if ballot.answer is None else class_of.get(ballot.answer),
        ground_truth_class=_TRUTH if truth is not None and ballot.ground_truth == truth else None,
    )
