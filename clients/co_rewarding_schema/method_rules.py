"""Define what a row of the method table says: electorate, ballot weight, label rule, reward shape and gates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from co_rewarding_schema.vocabulary import View, Voter


class Box(NamedTuple):
    """The ballots that one voter casts on one view of a question."""

    voter: Voter
    view: View


class Weight(StrEnum):
    """What a ballot counts."""

    ONE = "one"
    VERIFIED = "verified"
    """The run's `verified_weight` for a ballot whose evidence is verified, 1 for any other."""
    CONFIDENCE = "confidence"
    """The confidence of the ballot's evidence, from 0 to 1."""


class LabelRule(StrEnum):
    """How a label comes about."""

    PLURALITY = "plurality"
    """The class with the largest sum of votes over the boxes."""
    HARMONIC = "harmonic"
    """The class with the largest harmonic mean of its shares of the boxes; a class that a box lacks has none."""
    GIVEN = "given"
    """The ground truth that the rollouts carry."""
    NONE = "none"


class RewardShape(StrEnum):
    """What a rollout earns."""

    MATCH = "match"
    """1 for the label's class, 0 for any other answer or for none."""
    SHARE = "share"
    """The share of the rollout's own class, averaged over the boxes; 0 without an answer."""
    STATISTIC = "statistic"
    """A number that the trainer measured on the rollout, times the row's sign."""
    DRAW = "draw"
    """1 with probability `random_p`, drawn from the rollout's identity; else 0."""
    ANSWERED = "answered"
    """1 for any answer, 0 for none."""


class Gate(StrEnum):
    """A condition on a label, besides the votes that every elected label needs (`min_votes`, `min_vote_share`)."""

    ENTROPY_BAND = "entropy-band"
    """The group abstains if the entropy of its answered ballots is outside of `entropy_low` to `entropy_high`."""
    STABILITY = "stability"
    """The reward shrinks with the share of the question's last labels that differ from the label before."""


class Statistic(StrEnum):
    """A number the trainer measured on the rollout and sent with it."""

    SELF_CERTAINTY = "self_certainty"
    ENTROPY = "entropy"


@dataclass(frozen=True, slots=True)
class ViewRule:
    """How the rollouts of one view are rewarded: electorate, ballot weight, label rule, reward shape and gates."""

    boxes: tuple[Box, ...] = ()
    weight: Weight = Weight.ONE
    label: LabelRule = LabelRule.PLURALITY
    reward: RewardShape = RewardShape.MATCH
    gates: tuple[Gate, ...] = ()
    voters: tuple[Voter, ...] = field(init=False)
    views: tuple[View, ...] = field(init=False)
    electorate: str = field(init=False)

    def __post_init__(self) -> None:
        """Work out once the voters and views of the boxes, each named once, and the voters as a label names them."""
        object.__setattr__(self, "voters", tuple(dict.fromkeys(box.voter for box in self.boxes)))
        object.__setattr__(self, "views", tuple(dict.fromkeys(box.view for box in self.boxes)))
        object.__setattr__(self, "electorate", self.voters[0] if len(self.voters) == 1 else "+".join(self.voters))

    def views_of(self, voter: Voter) -> tuple[View, ...]:
        """Return the views on which a voter has a box."""
        return tuple(box.view for box in self.boxes if box.voter is voter)


@dataclass(frozen=True, slots=True)
class Method:
    """One row: the rule of each view, and the statistic (with its sign) where a reward is one.

    `apart` names the row that labels a pair whose views are not to vote for each other any more, `unaided` the row that
    labels where no peer has voted. `needs_others`: not the policy alone elects labels. `needs_ground_truth`: each
    rollout must come with its question's. `is_match_alone`: every reward is 1 for the label's class, else 0.
    `needs_history`: a gate reads the last labels of the question. `is_drawn`: a reward is drawn from the rollout's
    identity. `evidence`: the field of a rollout's evidence that each rollout must bring; None where none is asked for.
    """

    name: str
    origin: str
    rules: Mapping[View, ViewRule]
    statistic: Statistic | None = None
    sign: float = 1.0
    apart: str | None = None
    unaided: str | None = None
    voters: frozenset[Voter] = field(init=False)
    needs_teacher: bool = field(init=False)
    needs_others: bool = field(init=False)
    needs_ground_truth: bool = field(init=False)
    is_match_alone: bool = field(init=False)
    needs_history: bool = field(init=False)
    is_drawn: bool = field(init=False)
    evidence: str | None = field(init=False)
    _decided_with: Mapping[View, tuple[View, ...]] = field(init=False, repr=False)
    _elected_with: Mapping[View, tuple[View, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Work out once what every request asks for."""
        voters = frozenset(voter for rule in self.rules.values() for voter in rule.voters)
        object.__setattr__(self, "voters", voters)
        object.__setattr__(self, "needs_teacher", Voter.TEACHER in voters)
        object.__setattr__(self, "needs_others", bool(voters - {Voter.POLICY}))
        given = any(rule.label is LabelRule.GIVEN for rule in self.rules.values())
        object.__setattr__(self, "needs_ground_truth", given)
        match = all(rule.reward is RewardShape.MATCH and not rule.gates for rule in self.rules.values())
        object.__setattr__(self, "is_match_alone", match)
        history = any(Gate.STABILITY in rule.gates for rule in self.rules.values())
        object.__setattr__(self, "needs_history", history)
        drawn = any(rule.reward is RewardShape.DRAW for rule in self.rules.values())
        object.__setattr__(self, "is_drawn", drawn)
        weights = {rule.weight for rule in self.rules.values()} - {Weight.ONE}
        object.__setattr__(self, "evidence", min(weights, default=None))
        policy = {view: self._linked_with(view, frozenset({Voter.POLICY})) for view in View}
        object.__setattr__(self, "_decided_with", MappingProxyType(policy))
        anyone = {view: self._linked_with(view, frozenset(Voter)) for view in View}
        object.__setattr__(self, "_elected_with", MappingProxyType(anyone))

    @property
    def has_labels(self) -> bool:
        """Whether answers are labelled, by a vote or by the ground truth."""
        return any(rule.label is not LabelRule.NONE for rule in self.rules.values())

    @property
    def needs_peers(self) -> bool:
        """Whether the policies of other runs elect labels."""
        return Voter.PEER in self.voters

    @property
    def is_joined(self) -> bool:
        """Whether the ballots of the policy elect labels, which may come in several requests."""
        return Voter.POLICY in self.voters and not self.needs_teacher

    @property
    def is_gathered(self) -> bool:
        """Whether a rollout waits for its group, which may come in several requests: to vote in it, or for peers."""
        return bool(self.voters) and not self.needs_teacher

    @property
    def needs_both_views(self) -> bool:
        """Whether a view's label is elected on the other view, so that a question must come in both wordings."""
        return any(set(rule.views) - {view} for view, rule in self.rules.items())

    def views_decided_with(self, view: View) -> tuple[View, ...]:
        """Return the views whose policy rollouts must be known together with those of `view`: those of a cohort.

        Majority voting decides each view by itself; co-rewarding-i needs both.
        """
        return self._decided_with[view]

    def views_elected_with(self, view: View) -> tuple[View, ...]:
        """Return the views of a cohort that brings the ballots of all its voters."""
        return self._elected_with[view]

    def _linked_with(self, view: View, voters: frozenset[Voter]) -> tuple[View, ...]:
        """Return the views that boxes of these voters link to `view`, in the order of View."""
        known = {view}
        while True:
            linked = {
                other
                for target, rule in self.rules.items()
                for box in rule.boxes
                if box.voter in voters and known & {target, box.view}
                for other in (target, box.view)
            }
            if linked <= known:
                return tuple(each for each in View if each in known)
            known |= linked
