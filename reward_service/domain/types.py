"""Define ballots and labels, the values of the rules."""

from dataclasses import dataclass
from typing import NamedTuple

from co_rewarding_schema.vocabulary import View, Voter


class Ballot(NamedTuple):
    """One answer cast by one voter on one view of one question in one step.

    `answer_class` names the class of equal answers that this one belongs to; None means that the response
    held no answer: such a ballot does not vote and earns 0 under an elected label. `rollout` is its index within the
    group, or None where the client could not say. A ballot that is not `counted` (it came after its cohort had closed,
    or a higher attempt took its place) is rewarded and does not vote. `version` is the teacher's that cast it.
    """

    view: View
    voter: Voter
    rollout: int | None
    answer: str | None
    answer_class: str | None
    ground_truth: str | None = None
    ground_truth_class: str | None = None
    self_certainty: float | None = None
    entropy: float | None = None
    counted: bool = True
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ElectedLabel:
    """The elected answer (pseudo label) of one view, with its votes and who elected it.

    `of` counts the ballots of the electorate, those without an answer included, so that `votes / of` is the
    share of the group that stands behind the label. `matches_truth` is None where no ground truth was sent, `version`
    where no teacher voted.
    """

    view: View
    answer: str
    answer_class: str
    votes: int
    of: int
    voter: str
    voted_on: tuple[View, ...]
    matches_truth: bool | None = None
    version: int | None = None

    @property
    def share(self) -> float | None:
        """Share of the electorate behind the label, in (0, 1]; None for a label that nobody elected."""
        return self.votes / self.of if self.of else None
