"""Elect a label: whose ballots vote, what each counts, and which class of answers wins. Rules of the method table."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from co_rewarding_schema.method_rules import LabelRule, ViewRule, Weight
from co_rewarding_schema.vocabulary import View

from reward_service.domain.cohort import Ballot

Rank = tuple[int, int, int, str, str]
Count: TypeAlias = int | float
"""Ballots by their weight; a whole number stays one."""


class MethodParameters(NamedTuple):
    """The settings of a run that rules of the method table read: names and defaults are those of the run."""

    min_votes: int = 1
    min_vote_share: float = 0.0
    verified_weight: float = 5.0
    entropy_low: float = 0.0
    entropy_high: float | None = None
    stability_lambda: float = 0.5
    stability_window: int = 8
    random_p: float = 0.5


class Winner(NamedTuple):
    """The class that won an election: a representative answer, its votes, and the ballots it was chosen from."""

    answer: str
    answer_class: str
    votes: Count
    of: Count


def rank(ballot: Ballot) -> Rank:
    """Return a ballot's place in the order that breaks ties: by rollout index, or by key where there is none.

    Where two views vote together the original's rollout comes before the paraphrase's of the same index.
    """
    key = ballot.answer_class or ""
    if ballot.rollout is None:
        return (1, 0, 0, key, ballot.answer or "")
    return (0, ballot.rollout, int(ballot.view is not View.ORIGINAL), key, ballot.answer or "")


def first_of(ballots: Sequence[Ballot]) -> Ballot:
    """Return the ballot that ranks lowest; ballots without an index come behind all others.

    Raises:
        ValueError: there is none.
    """
    best: Ballot | None = None
    lowest, is_tied = 0, False
    for ballot in ballots:  # a rank for each would cost more than the election
        index = ballot.rollout
        if index is None:
            continue
        if best is None or index < lowest:
            best, lowest, is_tied = ballot, index, False
        elif index == lowest:
            is_tied = True
    if best is None:
        return min(ballots, key=rank)
    return min((ballot for ballot in ballots if ballot.rollout == lowest), key=rank) if is_tied else best


def elect(ballots: Sequence[Ballot]) -> Winner | None:
    """Elect the largest class of the ballots, each of weight one; None if not one of them holds an answer.

    A tie goes to the class whose first ballot ranks lowest. Ballots without an answer do not vote, and count in `of`.
    Invariant under any permutation of the ballots and under any relabelling of classes that carry indices.
    """
    voters_of: dict[str, list[Ballot]] = {}
    for ballot in ballots:
        answer_class = ballot.answer_class
        if answer_class is not None and ballot.answer is not None:
            if answer_class in voters_of:
                voters_of[answer_class].append(ballot)
            else:
                voters_of[answer_class] = [ballot]
    if not voters_of:
        return None
    votes, leading = 0, list[Ballot]()
    for voters in voters_of.values():
        if len(voters) > votes:
            votes, leading = len(voters), voters
        elif len(voters) == votes:
            leading = [*leading, *voters]
    first = first_of(leading)
    return Winner(first.answer or "", first.answer_class or "", votes, len(ballots))


class BoxCount(NamedTuple):
    """The votes of one box: by class, and of all its ballots, those without an answer included."""

    votes_of: Mapping[str, Fraction]
    of: Fraction

    def share(self, answer_class: str) -> Fraction:
        """Return s_b(a), the weighted share of a class; 0 in a box without ballots."""
        return self.votes_of.get(answer_class, Fraction(0)) / self.of if self.of else Fraction(0)


def counts_of(rule: ViewRule, electors: Iterable[Ballot], parameters: MethodParameters) -> list[BoxCount]:
    """Return what each box of a rule holds. Fractions are exact: no order of ballots changes a tie."""
    weigh = WEIGHTS[rule.weight]
    votes_of: list[dict[str, Fraction]] = [{} for _ in rule.boxes]
    of = [Fraction(0)] * len(rule.boxes)
    place_of = {(box.voter, box.view): place for place, box in enumerate(rule.boxes)}
    for ballot in electors:
        place = place_of[ballot.voter, ballot.view]
        weight = weigh(ballot, parameters)
        of[place] += weight
        if ballot.answer_class is not None and ballot.answer is not None:
            votes = votes_of[place]
            votes[ballot.answer_class] = votes.get(ballot.answer_class, Fraction(0)) + weight
    return [BoxCount(votes, total) for votes, total in zip(votes_of, of, strict=True)]


def electors_of(rule: ViewRule, ballots: Iterable[Ballot]) -> list[Ballot]:
    """Return the counted ballots of a rule's boxes."""
    if len(rule.voters) == 1:  # to build a pair for each ballot costs more than to compare voter and view
        (voter,), views = rule.voters, rule.views
        if len(views) == 1:
            (view,) = views
            return [each for each in ballots if each.view is view and each.voter is voter and each.counted]
        return [each for each in ballots if each.voter is voter and each.view in views and each.counted]
    return [each for each in ballots if each.counted and (each.voter, each.view) in rule.boxes]


def label_of(rule: ViewRule, electors: Sequence[Ballot], parameters: MethodParameters) -> Winner | None:
    """Elect a label by a rule of plurality or harmony; None if no class has a vote, or too few or too small a share.

    `min_votes` counts ballots, whatever they weigh; the share is one by weight.
    """
    if rule.label is LabelRule.PLURALITY and rule.weight is Weight.ONE:
        winner = elect(electors)
    else:
        winner = _elect_by_merit(rule, electors, parameters)
    # As a quotient, 7 of 25 are 0.28; as a product, 0.28 of 25 are more than 7.
    if winner is None or (winner.of and winner.votes / winner.of < parameters.min_vote_share):
        return None
    ballots = winner.votes if rule.weight is Weight.ONE else _ballots_of(winner.answer_class, electors)
    return None if ballots < parameters.min_votes else winner


def _ballots_of(answer_class: str, electors: Iterable[Ballot]) -> int:
    return sum(ballot.answer_class == answer_class and ballot.answer is not None for ballot in electors)


def _elect_by_merit(rule: ViewRule, electors: Sequence[Ballot], parameters: MethodParameters) -> Winner | None:
    counts = counts_of(rule, electors, parameters)
    merit_by = MERITS[rule.label]
    merit_of = {key: merit_by(counts, key) for key in {key for count in counts for key in count.votes_of}}
    most = max(merit_of.values(), default=Fraction(0))
    if not most:
        return None
    best = {key for key, merit in merit_of.items() if merit == most}
    first = first_of([each for each in electors if each.answer_class in best])
    answer, elected = first.answer or "", first.answer_class or ""
    votes = sum((count.votes_of.get(elected, Fraction(0)) for count in counts), Fraction(0))
    return Winner(answer, elected, count_from(votes), count_from(sum((count.of for count in counts), Fraction(0))))


def count_from(votes: Fraction) -> Count:
    """Return votes as they are told: a whole number where they are one."""
    return votes.numerator if votes.denominator == 1 else float(votes)


def entropy_of(rule: ViewRule, electors: Iterable[Ballot], parameters: MethodParameters) -> float:
    """Return H = -Σ p ln p over the classes' votes among the answered ballots of the electorate, in nats."""
    votes_of: dict[str, Fraction] = {}
    for count in counts_of(rule, electors, parameters):
        for key, votes in count.votes_of.items():
            votes_of[key] = votes_of.get(key, Fraction(0)) + votes
    total = sum(votes_of.values(), Fraction(0))
    shares = [float(votes / total) for votes in votes_of.values() if votes]
    return abs(math.fsum(share * math.log(share) for share in shares))


def instability(classes_K: Sequence[str]) -> float:
    """Return the share of neighbours that differ among a question's last K labels; 0 with fewer than two."""
    if len(classes_K) < 2:
        return 0.0
    return sum(one != other for one, other in itertools.pairwise(classes_K)) / (len(classes_K) - 1)


def _weight_of_verified(ballot: Ballot, parameters: MethodParameters) -> Fraction:
    return Fraction(parameters.verified_weight) if ballot.verified else Fraction(1)


def _weight_of_confidence(ballot: Ballot, _: MethodParameters) -> Fraction:
    return Fraction(ballot.confidence or 0.0)


WEIGHTS: Mapping[Weight, Callable[[Ballot, MethodParameters], Fraction]] = MappingProxyType({
    Weight.ONE: lambda _ballot, _parameters: Fraction(1),
    Weight.VERIFIED: _weight_of_verified,
    Weight.CONFIDENCE: _weight_of_confidence,
})  # fmt: skip
"""What a ballot counts, by the word of the table."""


def _sum_of_votes(counts: Sequence[BoxCount], answer_class: str) -> Fraction:
    return sum((count.votes_of.get(answer_class, Fraction(0)) for count in counts), Fraction(0))


def _harmonic_mean(counts: Sequence[BoxCount], answer_class: str) -> Fraction:
    shares = [count.share(answer_class) for count in counts]
    return len(shares) / sum((1 / share for share in shares), Fraction(0)) if all(shares) else Fraction(0)


MERITS: Mapping[LabelRule, Callable[[Sequence[BoxCount], str], Fraction]] = MappingProxyType({
    LabelRule.PLURALITY: _sum_of_votes,
    LabelRule.HARMONIC: _harmonic_mean,
})  # fmt: skip
"""By what the classes of answers are compared, by the word of the table."""
