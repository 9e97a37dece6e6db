"""Decide which pairs are bad: their views keep disagreeing, and each view is sure of its answer.

A pair is watched by Page's cumulative sum: a disagreement speaks against it, an agreement for it, and how much so is
the log of how likely either is for a bad pair and for the run's other ones. Where a policy still answers every other
question differently in other words, a disagreement hardly counts; where it seldom does, two or three are enough.
Sources: E. S. Page, Continuous Inspection Schemes, Biometrika 41 (1954); A. Wald, Sequential Analysis (1947).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.methods import method_named
from co_rewarding_schema.vocabulary import Quarantine, View

from reward_service.domain.cohort import ElectedLabel
from reward_service.domain.settlement import Settlement, withheld


@dataclass(frozen=True, slots=True, kw_only=True)
class DisagreementRules:
    """How pairs are watched.

    Attributes:
        firm_share: a label with a smaller share of its electorate says nothing about the pair.
        bad_disagrees: how often the views of a bad pair disagree, both labels being firm.
        least_base, most_base: bounds of how often those of others are taken to disagree.
        accuse_at: the evidence, in nats, at which a pair is taken for a bad one: ln 99, odds of 99 to 1.
        most: evidence does not grow beyond this, so that a pair can be acquitted.
        prior, prior_base: before anything was seen, as if so many had been, of which such a share disagreed.
        horizon: how many observations the run's other pairs are judged by; older ones fade.
    """

    firm_share: float = 0.5
    bad_disagrees: float = 0.95
    least_base: float = 0.02
    most_base: float = 0.8
    accuse_at: float = math.log(99)
    most: float = 2 * math.log(99)
    prior: float = 20.0
    prior_base: float = 0.5
    horizon: float = 1000.0


@dataclass(frozen=True, slots=True)
class Base:
    """How often the views of pairs that nothing is held against have disagreed: fading counts."""

    seen: float = 0.0
    disagreed: float = 0.0

    def rate(self, watch: DisagreementRules) -> float:
        """The share that disagrees."""
        rate = (self.disagreed + watch.prior * watch.prior_base) / (self.seen + watch.prior)
        return min(watch.most_base, max(watch.least_base, rate))


class EvidenceWeights(NamedTuple):
    """What is added to the evidence against a pair by a disagreement, and (below 0) by an agreement."""

    disagreement: float
    agreement: float


@dataclass(frozen=True, slots=True)
class PairRecord:
    """What a run has seen of a pair: firm observations, those that disagreed, and the evidence against it in nats."""

    seen: int = 0
    disagreed: int = 0
    evidence: float = 0.0
    quarantined: bool = False


def weights(base: Base, watch: DisagreementRules) -> EvidenceWeights:
    """The log likelihood ratios, bad against other."""
    rate = base.rate(watch)
    return EvidenceWeights(math.log(watch.bad_disagrees / rate), math.log((1 - watch.bad_disagrees) / (1 - rate)))


def disagreement(labels: Sequence[ElectedLabel], watch: DisagreementRules) -> bool | None:
    """Whether the two views have elected different answers; None where that cannot be said, or not firmly."""
    if len(labels) != 2:
        return None
    one, other = labels
    if {one.voted_on, other.voted_on} != {(View.ORIGINAL,), (View.PARAPHRASE,)}:
        return None
    if min(one.share or 0.0, other.share or 0.0) < watch.firm_share:
        return None
    return one.answer_class != other.answer_class


def settle_pair(
    method: Method,
    decided: Callable[[Method], Settlement],
    quarantine: Quarantine,
    watch: DisagreementRules,
    quarantined: bool,
) -> tuple[Settlement, bool | None]:
    """Return what a watched pair comes to, and whether its views disagree; None where that cannot be said.

    `decided` settles the pair under a method. A pair in quarantine is labelled by each view for itself or, where the
    run wants that, goes without labels. The pair is watched all the same, so that it can be released.
    """
    apart = method.apart if quarantined else None
    settlement = decided(method if apart is None else method_named(apart))
    disagrees = disagreement(settlement.labels, watch)
    if quarantined and quarantine is Quarantine.ABSTAIN:
        settlement = withheld(settlement)
    return settlement, disagrees


def observed(record: PairRecord, disagrees: bool, weight: EvidenceWeights, watch: DisagreementRules) -> PairRecord:
    """The record after one more firm observation. The store does the same, atomically."""
    added = weight.disagreement if disagrees else weight.agreement
    evidence = min(watch.most, max(0.0, record.evidence + added))
    accused = evidence >= watch.accuse_at or (record.quarantined and evidence > 0.0)
    return PairRecord(record.seen + 1, record.disagreed + disagrees, evidence, accused)


def witnessed(base: Base, record: PairRecord, disagrees: bool, watch: DisagreementRules) -> Base:
    """The base after an observation of a pair as it stood before; one that is under suspicion bears no witness."""
    if record.evidence > watch.accuse_at / 2:
        return base
    kept = 1.0 - 1.0 / watch.horizon
    return replace(base, seen=kept * base.seen + 1.0, disagreed=kept * base.disagreed + disagrees)
