"""Read a file of rollouts once as the ballots that they cast; the texts go no further."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from co_rewarding_schema.vocabulary import View, Voter
from rich.progress import Progress

from reward_service.domain.cohort import Ballot
from reward_service.domain.elections import rank
from reward_service.tools.replay.batches import batches
from reward_service.tools.replay.reading import counted
from reward_service.tools.replay.rollout_files import FileRollout, RolloutFile

Extract = Callable[[str], str | None]
"""From a response to its answer; None where it holds none."""


@dataclass(frozen=True, slots=True)
class RecordedQuestion:
    """The B ballots of one question in one step, in the order of the file; of no class yet.

    `truths` has, for each view that carries one, the ground truth that the domain takes: its lowest ranked ballot's.
    """

    ballots_B: tuple[Ballot, ...]
    truths: Mapping[View, str]

    @classmethod
    def of(cls, ballots_B: Sequence[Ballot]) -> "RecordedQuestion":
        """The question of these ballots."""
        truths: dict[View, str] = {}
        for ballot in sorted(ballots_B, key=rank):
            if ballot.ground_truth is not None:
                truths.setdefault(ballot.view, ballot.ground_truth)
        return cls(tuple(ballots_B), truths)

    @property
    def views(self) -> tuple[View, ...]:
        """The views that have ballots, the original first."""
        there = {ballot.view for ballot in self.ballots_B}
        return tuple(view for view in View if view in there)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingCounts:
    """Counts what a recording holds.

    There are questions, those of them with a ground truth, and those with one view only; groups of each view; rollouts,
    and those of them that hold an answer. A question is counted in each of its steps.
    """

    questions: int
    with_truth: int
    one_view: int
    groups: Mapping[View, int]
    rollouts: int
    answered: int


@dataclass(frozen=True, slots=True)
class Recording:
    """Every question of a file. It is held in memory: answers, not texts."""

    questions_Q: tuple[RecordedQuestion, ...]

    def counts(self) -> RecordingCounts:
        """How much it holds."""
        questions = self.questions_Q
        ballots = [ballot for question in questions for ballot in question.ballots_B]
        return RecordingCounts(
            questions=len(questions),
            with_truth=sum(bool(question.truths) for question in questions),
            one_view=sum(len(question.views) == 1 for question in questions),
            groups=Counter(view for question in questions for view in question.views),
            rollouts=len(ballots),
            answered=sum(ballot.answer is not None for ballot in ballots),
        )


def record(file: RolloutFile, extract: Extract, bar: Progress) -> Recording:
    """Reads a file, twice: to count its questions, and to have each of them whole.

    Raises:
        RolloutFileError: a row cannot be read, two rollouts of a group have one index, or there are none.
    """
    census = counted(file, bar)
    reading = bar.add_task("extracting", total=census.rollouts)
    questions: list[RecordedQuestion] = []
    for batch in batches(file.rollouts(), census, 1, file.source.place):  # at most 1: each batch is one question
        questions.append(RecordedQuestion.of([_ballot(rollout, extract) for rollout in batch.rollouts_B]))
        bar.advance(reading, len(batch.rollouts_B))
    return Recording(tuple(questions))


def _ballot(rollout: FileRollout, extract: Extract) -> Ballot:
    return Ballot(
        view=View(rollout.view),
        voter=Voter.POLICY,
        rollout=rollout.rollout,
        answer=extract(rollout.response),
        answer_class=None,
        ground_truth=rollout.ground_truth,
        self_certainty=rollout.self_certainty,
        entropy=rollout.entropy,
    )
