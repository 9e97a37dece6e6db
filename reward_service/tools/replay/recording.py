"""Read files of rollouts once as the ballots that they cast; the texts go no further."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from co_rewarding_schema.vocabulary import View, Voter
from rich.progress import Progress

from reward_service.domain.cohort import Ballot
from reward_service.domain.elections import rank
from reward_service.tools.replay.batches import numbered
from reward_service.tools.replay.errors import RolloutFileError
from reward_service.tools.replay.rollout_files import FileRollout, RolloutFile

Extract = Callable[[str], str | None]
"""From a response to its answer; None where it holds none."""


class VoterFile(NamedTuple):
    """A file of rollouts: whose they are, and of which view all of them are; None where the file says it of each."""

    file: RolloutFile
    voter: Voter = Voter.POLICY
    view: View | None = None


@dataclass(frozen=True, slots=True)
class RecordedQuestion:
    """One question in one step: the B ballots of the policy, in the order of the file, and those of other voters.

    No ballot has a class yet. `truths` has, for each view that carries one, the ground truth that the domain takes: its
    lowest ranked ballot's.
    """

    ballots_B: tuple[Ballot, ...]
    truths: Mapping[View, str]
    electors_E: tuple[Ballot, ...] = ()
    question_id: str = ""
    step: int | None = None

    @classmethod
    def of(cls, ballots: Iterable[Ballot], question_id: str = "", step: int | None = None) -> "RecordedQuestion":
        """The question of these ballots."""
        truths: dict[View, str] = {}
        everyone = list(ballots)
        ballots_B = tuple(ballot for ballot in everyone if ballot.voter is Voter.POLICY)
        for ballot in sorted(ballots_B, key=rank):
            if ballot.ground_truth is not None:
                truths.setdefault(ballot.view, ballot.ground_truth)
        electors_E = tuple(ballot for ballot in everyone if ballot.voter is not Voter.POLICY)
        return cls(ballots_B, truths, electors_E, question_id, step)

    @property
    def views(self) -> tuple[View, ...]:
        """The views that have rollouts of the policy, the original first."""
        there = {ballot.view for ballot in self.ballots_B}
        return tuple(view for view in View if view in there)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingCounts:
    """Counts what a recording holds.

    Attributes:
        questions: different questions. One that comes in several steps counts once.
        with_truth: questions that have a ground truth in some step.
        one_view: questions that have a single view in some step.
        steps: different steps; 0 where the files name none.
        groups: rollouts of one question, step and view, counted for each view.
        rollouts, answered: rollouts of the policy, and those of them with an answer.
        others: ballots of other voters than the policy.
    """

    questions: int
    with_truth: int
    one_view: int
    steps: int
    groups: Mapping[View, int]
    rollouts: int
    answered: int
    others: Mapping[Voter, int] = field(default_factory=dict[Voter, int])


@dataclass(frozen=True, slots=True)
class Recording:
    """Every question that the policy answered, once for each step. It is held in memory: answers, not texts."""

    questions_Q: tuple[RecordedQuestion, ...]

    def counts(self) -> RecordingCounts:
        """How much it holds."""
        questions = self.questions_Q
        ballots = [ballot for question in questions for ballot in question.ballots_B]
        return RecordingCounts(
            questions=len({question.question_id for question in questions}),
            with_truth=len({question.question_id for question in questions if question.truths}),
            one_view=len({question.question_id for question in questions if len(question.views) == 1}),
            steps=len({question.step for question in questions} - {None}),
            groups=Counter(view for question in questions for view in question.views),
            rollouts=len(ballots),
            answered=sum(ballot.answer is not None for ballot in ballots),
            others=Counter(ballot.voter for question in questions for ballot in question.electors_E),
        )


Key = tuple[int | None, str]
"""A question in a step."""


def record(files: Sequence[VoterFile], extract: Extract, bar: Progress) -> Recording:
    """Reads each file once. What is held of a rollout is its answer.

    Raises:
        RolloutFileError: a row cannot be read, two rollouts of a group have one index, or a file holds no rollouts.
    """
    ballots: dict[Key, list[Ballot]] = {}
    truth_of: dict[str, str] = {}
    for each in files:
        groups: dict[Key, list[FileRollout]] = {}
        for rollout in bar.track(each.file.rollouts(), description=f"reading {each.file.source.path.name}"):
            if rollout.ground_truth is not None:
                truth_of.setdefault(rollout.question_id, rollout.ground_truth)
            view = rollout.view if each.view is None else each.view
            answer = extract(rollout.response) or ""
            groups.setdefault((rollout.step, rollout.question_id), []).append(
                replace(rollout, view=view, response=answer)
            )
        if not groups:
            raise RolloutFileError(f"{each.file.source.path}: its rows hold no rollouts, only empty lists")
        for key, group in groups.items():
            place = each.file.source.place
            ballots.setdefault(key, []).extend(_ballot(rollout, each.voter) for rollout in numbered(group, place))
    questions = [
        RecordedQuestion.of((_with_truth(ballot, truth_of.get(name)) for ballot in cast), name, step)
        for (step, name), cast in ballots.items()
    ]
    return Recording(tuple(question for question in questions if question.ballots_B))


def _with_truth(ballot: Ballot, truth: str | None) -> Ballot:
    """Return a ballot with its question's truth, which one of several files may hold for all."""
    return ballot if ballot.ground_truth is not None or truth is None else ballot._replace(ground_truth=truth)


def _ballot(rollout: FileRollout, voter: Voter) -> Ballot:
    """Return the ballot of a rollout in which the answer stands for the response."""
    return Ballot(
        view=View(rollout.view),
        voter=voter,
        rollout=rollout.rollout,
        answer=rollout.response or None,
        answer_class=None,
        ground_truth=rollout.ground_truth,
        self_certainty=rollout.self_certainty,
        entropy=rollout.entropy,
        verified=rollout.verified,
        confidence=rollout.confidence,
    )
