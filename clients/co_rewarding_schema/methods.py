"""The method table: who elects the label of each view. A new method is a new row, not new code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from co_rewarding_schema.errors import UnknownMethodError
from co_rewarding_schema.vocabulary import View, Voter


class RewardSource(StrEnum):
    """Where a method's reward comes from."""

    VOTE = "vote"
    GROUND_TRUTH = "ground-truth"
    STATISTIC = "statistic"


class Statistic(StrEnum):
    """A number the trainer measured on the rollout and sent with it."""

    SELF_CERTAINTY = "self_certainty"
    ENTROPY = "entropy"


@dataclass(frozen=True, slots=True)
class Electorate:
    """The voter, and the views it votes on, that elect one view's label."""

    voter: Voter
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """One row: for each view, the electorate of its label; or the statistic (and its sign) that is the reward.

    `apart` names the row that labels a pair whose views are not to vote for each other any more.
    """

    name: str
    origin: str
    source: RewardSource
    electorates: Mapping[View, Electorate] = field(default_factory=lambda: MappingProxyType({}))
    statistic: Statistic | None = None
    sign: float = 1.0
    apart: str | None = None
    needs_teacher: bool = field(init=False)
    _decided_with: Mapping[View, tuple[View, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Works out once what every request asks for."""
        teacher = any(electorate.voter is Voter.TEACHER for electorate in self.electorates.values())
        object.__setattr__(self, "needs_teacher", teacher)
        object.__setattr__(self, "_decided_with", MappingProxyType({view: self._linked_with(view) for view in View}))

    @property
    def needs_both_views(self) -> bool:
        """Whether a view's label is elected on the other view, so that a question must come in both wordings."""
        return any(set(electorate.views) - {view} for view, electorate in self.electorates.items())

    @property
    def needs_ground_truth(self) -> bool:
        """Whether each rollout must come with its question's ground truth."""
        return self.source is RewardSource.GROUND_TRUTH

    def views_decided_with(self, view: View) -> tuple[View, ...]:
        """The views of a cohort, as `_linked_with` says."""
        return self._decided_with[view]

    def _linked_with(self, view: View) -> tuple[View, ...]:
        """The views whose policy rollouts must be known together with those of `view`, in the order of View.

        Majority voting decides each view by itself; co-rewarding-i needs both. This is what makes a cohort.
        """
        known = {view}
        while True:
            linked = {
                other
                for target, electorate in self.electorates.items()
                if electorate.voter is Voter.POLICY
                for other in (target, *electorate.views)
                if known & {target, *electorate.views}
            }
            if linked <= known:
                return tuple(each for each in View if each in known)
            known |= linked


def _elected(name: str, origin: str, original: Electorate, paraphrase: Electorate, apart: str | None = None) -> Method:
    electorates = MappingProxyType({View.ORIGINAL: original, View.PARAPHRASE: paraphrase})
    return Method(name, origin, RewardSource.VOTE, electorates, apart=apart)


def _by(voter: Voter, *views: View) -> Electorate:
    return Electorate(voter, views)


_ROWS = (
    _elected(
        "co-rewarding-i",
        "arXiv 2508.00410, eq. 7-8",
        original=_by(Voter.POLICY, View.PARAPHRASE),
        paraphrase=_by(Voter.POLICY, View.ORIGINAL),
        apart="majority-voting",
    ),
    _elected(
        "co-rewarding-ii",
        "arXiv 2508.00410, eq. 10",
        original=_by(Voter.TEACHER, View.ORIGINAL),
        paraphrase=_by(Voter.TEACHER, View.PARAPHRASE),
    ),
    _elected(
        "co-rewarding-iii",
        "arXiv 2508.00410, I and II combined",
        original=_by(Voter.TEACHER, View.PARAPHRASE),
        paraphrase=_by(Voter.TEACHER, View.ORIGINAL),
    ),
    _elected(
        "majority-voting",
        "TTRL; Shafayat et al.",
        original=_by(Voter.POLICY, View.ORIGINAL),
        paraphrase=_by(Voter.POLICY, View.PARAPHRASE),
    ),
    _elected(
        "majority-voting-union",
        "one vote over both views, the comparison a reviewer of the paper asked for",
        original=_by(Voter.POLICY, View.ORIGINAL, View.PARAPHRASE),
        paraphrase=_by(Voter.POLICY, View.ORIGINAL, View.PARAPHRASE),
    ),
    Method("ground-truth", "RLVR", RewardSource.GROUND_TRUTH),
    Method(
        "self-certainty",
        "Zhao et al., Intuitor: the more certain, the better",
        RewardSource.STATISTIC,
        statistic=Statistic.SELF_CERTAINTY,
    ),
    Method(
        "entropy",
        "Prabhudesai et al., RENT: entropy is minimised, so the reward is its negative",
        RewardSource.STATISTIC,
        statistic=Statistic.ENTROPY,
        sign=-1.0,
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType({row.name: row for row in _ROWS})

DEFAULT_METHOD = "co-rewarding-i"
"""That of a run whose settings name none."""

WITHIN_A_VIEW = "majority-voting"
"""What needs nothing but the rollouts themselves: no second view, teacher, truth or statistic."""

BY_GROUND_TRUTH = next(row.name for row in _ROWS if row.source is RewardSource.GROUND_TRUTH)
"""What a rollout is compared by that brings its ground truth as its label."""


def evaluated_by(*, truth: bool) -> Method:
    """Return the row that rewards an evaluation: by the ground truth if there is one, else by its own view's vote."""
    return METHODS[BY_GROUND_TRUTH if truth else WITHIN_A_VIEW]


def method_named(name: str) -> Method:
    """The row of that name.

    Raises:
        UnknownMethodError: there is none; the message lists those there are.
    """
    try:
        return METHODS[name]
    except KeyError as cause:
        raise UnknownMethodError(f"{name!r} is not a method; choose one of {', '.join(METHODS)}") from cause
