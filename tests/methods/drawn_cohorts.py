"""Cohorts drawn by chance, for any method: as votes of the specification, as ballots of the domain, and on the wire."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.vocabulary import View, Voter

from reward_service.domain.cohort import Ballot
from reward_service.domain.elections import MethodParameters
from tests.contract.election_model import (
    BY_STATISTIC,
    ELECTORATES,
    POLICY,
    WEIGHED_BY,
    Needs,
    Vote,
    answer_class,
    flips,
)

ANSWERS = ["4", "4.0", "5", "6", "7", None]
VIEW_OF = {"o": View.ORIGINAL, "p": View.PARAPHRASE}
LETTER_OF = {view: letter for letter, view in VIEW_OF.items()}
CONFIDENCES = [0.0, 0.1, 0.25, 0.3, 0.5, 0.9, 1.0]


class Shape(NamedTuple):
    """What may be drawn: the rollouts of each view (None: any number, and a view may be missing), and for whom."""

    group_size: int | None = None
    is_served: bool = False
    """Whether the voters of the method bring ballots on every view on which they are asked, as the service waits."""


class DrawnCohort(NamedTuple):
    """A question's rollouts in the order in which they are sent, and the settings of its run.

    `others` are ballots that are not sent with them, and vote.
    """

    method: str
    question: str
    votes: Sequence[Vote]
    needs: Needs
    others: Sequence[Vote] = ()

    def apart(self) -> "DrawnCohort":
        """The same, where the policy's rollouts are sent alone."""
        alone = [vote for vote in self.votes if vote.voter == POLICY]
        return self._replace(votes=alone, others=[vote for vote in self.votes if vote.voter != POLICY])

    def on_wire(self, position: int, **more: Any) -> dict[str, Any]:
        """A rollout as POST /v1/rewards takes it."""
        vote = self.votes[position]
        response = "no answer" if vote.answer is None else f"Rollout {vote.rollout}: \\boxed{{{vote.answer}}}."
        sent = {"question_id": self.question, "view": VIEW_OF[vote.view], "voter": vote.voter, "response": response}
        if vote.rollout is not None:
            sent["rollout"] = vote.rollout
        if vote.truth is not None:
            sent["ground_truth"] = vote.truth
        statistics = {"self_certainty": vote.self_certainty, "entropy": vote.entropy}
        evidence = {"verified": vote.verified, "confidence": vote.confidence}
        for name, values in {"statistics": statistics, "evidence": evidence}.items():
            known = {key: value for key, value in values.items() if value is not None}
            if known:
                sent[name] = known
        return sent | more


def draw_needs(rng: Random) -> Needs:
    """Settings of a run; those that their method does not read too."""
    low, high = rng.choice([(0.0, None), (0.1, None), (0.0, 1.0), (0.3, 0.9), (0.0, 0.0)])
    return Needs(
        votes=rng.choice([1, 1, 1, 2, 3]),
        share=rng.choice([0.0, 0.0, 0.25, 0.5, 0.75, 1.0]),
        verified_weight=rng.choice([5.0, 5.0, 1.0, 2.5, 0.0, 0.1]),
        entropy_low=low,
        entropy_high=high,
        stability_lambda=rng.choice([0.5, 0.5, 0.0, 0.3, 1.0]),
        stability_window=rng.randint(1, 8),
    )


def draw_cohort(rng: Random, method: str, question: str, needs: Needs, shape: Shape) -> DrawnCohort:
    """A question's rollouts: groups of any size, blanks, ties, copies of answers, in any order."""
    answers = rng.choices(ANSWERS, k=rng.randint(1, len(ANSWERS)))
    truth = rng.choice(["4", "5", "8"])
    with_truths = rng.choice([0.0, 1.0] if shape.is_served else [0.0, 0.3, 1.0])  # served, each view is by itself
    with_statistics = rng.choice([0.9, 1.0, 1.0])
    field = WEIGHED_BY.get(method)

    def vote(view: str, rollout: int, voter: str) -> Vote:
        return Vote(
            view,
            rollout,
            rng.choice(answers),
            voter,
            verified=rng.random() < 0.4 if field == "verified" else None,
            confidence=rng.choice(CONFIDENCES) if field == "confidence" else None,
            self_certainty=round(rng.uniform(0, 9), 3) if rng.random() < with_statistics else None,
            entropy=round(rng.uniform(0, 2), 3) if rng.random() < with_statistics else None,
            truth=truth if voter == POLICY and rng.random() < with_truths else None,
        )

    views = ["o", "p"] if shape.group_size or rng.random() < 0.8 else [rng.choice("op")]
    votes = [vote(view, index, POLICY) for view in views for index in range(shape.group_size or rng.randint(1, 6))]
    voters = {who for who, _ in ELECTORATES.get(method, {}).values()} - {POLICY}
    for voter in voters:
        for view in "op":
            if shape.is_served or rng.random() < 0.8:
                votes += [vote(view, index, voter) for index in range(rng.randint(1, 5))]
    rng.shuffle(votes)
    return DrawnCohort(method, question, votes, needs)


def draw_earlier(rng: Random) -> Mapping[str, Sequence[str]]:
    """Labels that a question had before, in order, for each view."""
    return {view: [rng.choice(["4", "4.0", "5"]) for _ in range(rng.randint(0, 9))] for view in "op"}


def ballots_of(votes: Sequence[Vote]) -> list[Ballot]:
    """The votes as the domain takes them: the tests' grader has named their classes."""
    return [
        Ballot(
            VIEW_OF[vote.view],
            Voter(vote.voter),
            vote.rollout,
            vote.answer,
            None if vote.answer is None else answer_class(vote.answer),
            vote.truth,
            None if vote.truth is None else answer_class(vote.truth),
            vote.self_certainty,
            vote.entropy,
            vote.counted,
            verified=vote.verified,
            confidence=vote.confidence,
        )
        for vote in votes
    ]


def parameters_of(needs: Needs) -> MethodParameters:
    """The settings as the domain takes them."""
    return MethodParameters(
        needs.votes,
        needs.share,
        needs.verified_weight,
        needs.entropy_low,
        needs.entropy_high,
        needs.stability_lambda,
        needs.stability_window,
    )


def instability_of(needs: Needs, labels: Mapping[str, str]) -> dict[View, float]:
    """The share of neighbours that differ among the last labels of each view, the new one included."""
    return {
        VIEW_OF[view]: float(flips([*needs.earlier.get(view, ()), label][-needs.stability_window :]))
        for view, label in labels.items()
    }


assert {*ELECTORATES, *BY_STATISTIC, "ground-truth", "random", "format"} == {*METHODS}, "the specification lacks a row"
