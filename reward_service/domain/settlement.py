"""Settle a closed cohort: label each view, and reward its ballots by the rules of a method."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from co_rewarding_schema.method_rules import Gate, LabelRule, Method, RewardShape, Statistic, ViewRule
from co_rewarding_schema.methods import BY_GROUND_TRUTH
from co_rewarding_schema.vocabulary import Abstention, View, Voter

from reward_service.domain.cohort import Ballot, ElectedLabel
from reward_service.domain.elections import (
    MethodParameters,
    counts_of,
    electors_of,
    entropy_of,
    label_of,
    rank,
)

NO_INSTABILITY: Mapping[View, float] = MappingProxyType({})


class Settlement(NamedTuple):
    """The result of a cohort, in the order of its B ballots: of each reward and abstention one is None."""

    labels: tuple[ElectedLabel, ...]
    rewards_B: tuple[float | None, ...]
    abstentions_B: tuple[Abstention | None, ...]

    @property
    def elected(self) -> bool:
        """Return whether anything in the cohort was rewarded."""
        return any(reward is not None for reward in self.rewards_B)


def settle(
    method: Method,
    ballots_B: Sequence[Ballot],
    parameters: MethodParameters | None = None,
    *,
    electors_E: Sequence[Ballot] = (),
    expired: bool = False,
    instability_of: Mapping[View, float] = NO_INSTABILITY,
    identity: str = "",
) -> Settlement:
    """Return labels and rewards of a cohort's ballots under a method.

    Args:
        method: a row of the table; its rules name voters and views.
        ballots_B: every ballot of the cohort, in any order, each identity once.
        parameters: the settings of the run that rules read.
        electors_E: ballots that vote and earn nothing: those of the service's own teacher, and of peer runs.
        expired: the deadline passed before the quorum; a label that is missing then abstains as `expired`.
        instability_of: of each view, the share of neighbours that differ among the question's last labels.
        identity: names the cohort, for rewards that are drawn.

    Source: arXiv 2508.00410, eq. 7-8 (I), 10 (II); equality of answers stands for the paper's string equality. The
    table of methods names the papers of the other rows.
    """
    parameters = parameters or MethodParameters()
    cast = [*ballots_B, *electors_E] if electors_E else ballots_B
    labels = labels_of(method, ballots_B, cast, parameters, instability_of)
    missing = Abstention.EXPIRED if expired else Abstention.NO_LABEL
    return settle_under(method, labels, ballots_B, cast, parameters, missing=missing, identity=identity)


def settle_under(
    method: Method,
    labels: Sequence[ElectedLabel],
    ballots_B: Sequence[Ballot],
    cast: Sequence[Ballot],
    parameters: MethodParameters,
    *,
    missing: Abstention = Abstention.NO_LABEL,
    identity: str = "",
) -> Settlement:
    """Reward ballots under labels that stand; a view without the label that it needs abstains.

    Late ballots come here with the labels of their cohort; `cast` are the ballots that were there before.
    """
    if method.is_match_alone:  # the rows of every day: a call for each ballot would cost more than all the rest
        class_of = {label.view: label.answer_class for label in labels}
        if len(class_of) == len(View):  # each view has its label
            one, other = class_of.values()
            if one == other:
                earned = [1.0 if each.answer_class == one else 0.0 for each in ballots_B]
            else:
                earned = [1.0 if each.answer_class == class_of[each.view] else 0.0 for each in ballots_B]
            return Settlement(tuple(labels), tuple(earned), (None,) * len(earned))
        absent = Abstention.NO_GROUND_TRUTH if method.needs_ground_truth else missing
        elected_B = [class_of.get(ballot.view) for ballot in ballots_B]
        rewards = tuple(
            [
                None if elected is None else 1.0 if ballot.answer_class == elected else 0.0
                for ballot, elected in zip(ballots_B, elected_B, strict=True)
            ]
        )
        return Settlement(tuple(labels), rewards, tuple([absent if elected is None else None for elected in elected_B]))
    label_on = {label.view: label for label in labels}
    outcomes = {
        view: _outcome(method, view, label_on.get(view), ballots_B, cast, parameters, missing, identity)
        for view in {ballot.view for ballot in ballots_B}
    }
    rewards_B: list[float | None] = []
    abstentions_B: list[Abstention | None] = []
    for ballot in ballots_B:
        outcome = outcomes[ballot.view]
        rewards_B.append(outcome(ballot) if callable(outcome) else None)
        abstentions_B.append(None if callable(outcome) else outcome)
    kept = tuple(label for label in labels if callable(outcomes.get(label.view)))
    return Settlement(kept, tuple(rewards_B), tuple(abstentions_B))


def withheld(settlement: Settlement) -> Settlement:
    """Return the same ballots without labels and rewards: their pair is in quarantine."""
    count = len(settlement.rewards_B)
    return Settlement((), (None,) * count, (Abstention.QUARANTINED,) * count)


def labels_of(
    method: Method,
    ballots_B: Sequence[Ballot],
    cast: Sequence[Ballot],
    parameters: MethodParameters,
    instability_of: Mapping[View, float] = NO_INSTABILITY,
) -> list[ElectedLabel]:
    """Return the label of each view that has ballots of the policy: given, or elected by the ballots that were cast."""
    labels: list[ElectedLabel] = []
    truth_of = _truths(ballots_B)
    if method.needs_ground_truth:
        return [
            ElectedLabel(view, answer, answer_class, 0, 0, voter=BY_GROUND_TRUTH, voted_on=(), matches_truth=True)
            for view, (answer, answer_class) in truth_of.items()
        ]
    policy = Voter.POLICY  # to look up a member of an enum costs more than to compare it
    rewarded = {ballot.view for ballot in ballots_B if ballot.voter is policy}
    for view, rule in method.rules.items():
        if view not in rewarded or rule.label is LabelRule.NONE:
            continue
        electors = electors_of(rule, cast)
        winner = label_of(rule, electors, parameters)
        if winner is None:
            continue
        truth = truth_of.get(view)
        labels.append(
            ElectedLabel(
                view,
                *winner,
                voter=rule.electorate,
                voted_on=rule.views,
                matches_truth=None if truth is None else truth[1] == winner.answer_class,
                version=_version(electors) if method.needs_teacher else None,
                instability=instability_of.get(view, 0.0),
            )
        )
    return labels


def _version(electors: Sequence[Ballot]) -> int | None:
    """Return the teacher's version behind a label; the oldest one if different versions answered the views."""
    return min((ballot.version for ballot in electors if ballot.version is not None), default=None)


def _truths(ballots_B: Sequence[Ballot]) -> dict[View, tuple[str, str]]:
    """Return each view's ground truth: of its lowest ranked ballot that has one, else of the other view (x′ ≡ x)."""
    carrying = [ballot for ballot in ballots_B if ballot.ground_truth is not None]
    if not carrying:
        return {}
    found: dict[View, tuple[str, str]] = {}
    for ballot in sorted(carrying, key=rank):
        if ballot.ground_truth is not None and ballot.ground_truth_class is not None:
            found.setdefault(ballot.view, (ballot.ground_truth, ballot.ground_truth_class))
    if not found:
        return {}
    anyone = found.get(View.ORIGINAL) or found[View.PARAPHRASE]
    return {view: found.get(view, anyone) for view in View if any(b.view is view for b in ballots_B)}


Outcome = Callable[[Ballot], float] | Abstention
"""What each ballot of a view earns, or why none of them does."""


def _outcome(
    method: Method,
    view: View,
    label: ElectedLabel | None,
    ballots_B: Sequence[Ballot],
    cast: Sequence[Ballot],
    parameters: MethodParameters,
    missing: Abstention,
    identity: str,
) -> Outcome:
    rule = method.rules[view]
    if label is None and rule.label is not LabelRule.NONE:
        return missing
    electors = electors_of(rule, cast)
    if Gate.ENTROPY_BAND in rule.gates and not _is_in_band(entropy_of(rule, electors, parameters), parameters):
        return Abstention.GATED
    match rule.reward:
        case RewardShape.MATCH:
            earned = _match(label.answer_class if label else None)
        case RewardShape.SHARE:
            earned = _share(rule, electors, parameters)
        case RewardShape.STATISTIC:
            return _statistic(method, [ballot for ballot in ballots_B if ballot.view is view])
        case RewardShape.DRAW:
            return lambda ballot: _drawn(f"{identity}\n{view}\n{ballot.rollout}", parameters.random_p)
        case RewardShape.ANSWERED:
            return lambda ballot: float(ballot.answer is not None)
    if label is None or Gate.STABILITY not in rule.gates:
        return earned
    kept = 1.0 - parameters.stability_lambda * label.instability
    return lambda ballot: earned(ballot) * kept


def _is_in_band(entropy: float, parameters: MethodParameters) -> bool:
    high = parameters.entropy_high
    return parameters.entropy_low <= entropy and (high is None or entropy <= high)


def _match(elected: str | None) -> Callable[[Ballot], float]:
    return lambda ballot: float(ballot.answer_class == elected)


def _share(rule: ViewRule, electors: Iterable[Ballot], parameters: MethodParameters) -> Callable[[Ballot], float]:
    counts = counts_of(rule, electors, parameters)

    def share_of(ballot: Ballot) -> float:
        answer_class = ballot.answer_class
        if answer_class is None:
            return 0.0
        return float(sum((count.share(answer_class) for count in counts), Fraction(0)) / len(counts))

    return share_of


def _drawn(identity: str, probability: float) -> float:
    """Return 1 with a probability, else 0: the same for the same identity, on every machine."""
    drawn = int.from_bytes(hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    return float(drawn < probability * 2**64)


def _statistic(method: Method, ballots_G: Sequence[Ballot]) -> Outcome:
    """Return each rollout's own statistic; a group in which one is missing or not finite abstains."""
    value_of: Callable[[Ballot], float | None] = (
        (lambda ballot: ballot.self_certainty)
        if method.statistic is Statistic.SELF_CERTAINTY
        else (lambda ballot: ballot.entropy)
    )
    if not all(value is not None and math.isfinite(value) for value in map(value_of, ballots_G)):
        return Abstention.NO_STATISTICS
    return lambda ballot: method.sign * (value_of(ballot) or 0.0)
