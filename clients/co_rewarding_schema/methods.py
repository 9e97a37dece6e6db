"""The method table: whose ballots elect the label of each view, and what a rollout earns. A new method is a new row."""

from collections.abc import Mapping
from types import MappingProxyType

from co_rewarding_schema.errors import UnknownMethodError
from co_rewarding_schema.method_rules import Box, Gate, LabelRule, Method, RewardShape, Statistic, ViewRule, Weight
from co_rewarding_schema.vocabulary import View, Voter


def _row(
    name: str,
    origin: str,
    original: ViewRule,
    paraphrase: ViewRule | None = None,
    apart: str | None = None,
    unaided: str | None = None,
) -> Method:
    """Return a row; a rule alone holds for both views."""
    rules = MappingProxyType({View.ORIGINAL: original, View.PARAPHRASE: paraphrase or original})
    return Method(name, origin, rules, apart=apart, unaided=unaided)


def _measured(name: str, origin: str, statistic: Statistic, sign: float = 1.0) -> Method:
    """Return a row whose reward is a statistic."""
    rule = ViewRule(label=LabelRule.NONE, reward=RewardShape.STATISTIC)
    return Method(name, origin, MappingProxyType(dict.fromkeys(View, rule)), statistic, sign)


def _by(
    voter: Voter,
    *views: View,
    weight: Weight = Weight.ONE,
    label: LabelRule = LabelRule.PLURALITY,
    reward: RewardShape = RewardShape.MATCH,
    gates: tuple[Gate, ...] = (),
) -> ViewRule:
    """Return a rule whose electorate is one voter on some views."""
    return ViewRule(tuple(Box(voter, view) for view in views), weight, label, reward, gates)


_ROWS = (
    _row(
        "co-rewarding-i",
        "arXiv 2508.00410, eq. 7-8",
        original=_by(Voter.POLICY, View.PARAPHRASE),
        paraphrase=_by(Voter.POLICY, View.ORIGINAL),
        apart="majority-voting",
    ),
    _row(
        "co-rewarding-ii",
        "arXiv 2508.00410, eq. 10",
        original=_by(Voter.TEACHER, View.ORIGINAL),
        paraphrase=_by(Voter.TEACHER, View.PARAPHRASE),
    ),
    _row(
        "co-rewarding-iii",
        "arXiv 2508.00410, I and II combined",
        original=_by(Voter.TEACHER, View.PARAPHRASE),
        paraphrase=_by(Voter.TEACHER, View.ORIGINAL),
    ),
    _row(
        "majority-voting",
        "TTRL; Shafayat et al.",
        original=_by(Voter.POLICY, View.ORIGINAL),
        paraphrase=_by(Voter.POLICY, View.PARAPHRASE),
    ),
    _row(
        "majority-voting-union",
        "one vote over both views, the comparison a reviewer of the paper asked for",
        _by(Voter.POLICY, View.ORIGINAL, View.PARAPHRASE),
    ),
    _row(
        "self-harmony",
        "arXiv 2511.01191: the answer that is likely on both wordings, by the harmonic mean of its shares",
        _by(Voter.POLICY, View.ORIGINAL, View.PARAPHRASE, label=LabelRule.HARMONIC),
    ),
    _row(
        "teacher-harmony",
        "self-harmony's rule, voted by the slow teacher of co-rewarding",
        _by(Voter.TEACHER, View.ORIGINAL, View.PARAPHRASE, label=LabelRule.HARMONIC),
    ),
    _row(
        "soft-majority",
        "EMPO, arXiv 2504.05812: the share of the rollout's own class, in a band of entropy",
        original=_by(Voter.POLICY, View.ORIGINAL, reward=RewardShape.SHARE, gates=(Gate.ENTROPY_BAND,)),
        paraphrase=_by(Voter.POLICY, View.PARAPHRASE, reward=RewardShape.SHARE, gates=(Gate.ENTROPY_BAND,)),
    ),
    _row(
        "verified-majority",
        "T3RL, arXiv 2603.02203: ballots that a tool verified count more",
        original=_by(Voter.POLICY, View.ORIGINAL, weight=Weight.VERIFIED),
        paraphrase=_by(Voter.POLICY, View.PARAPHRASE, weight=Weight.VERIFIED),
    ),
    _row(
        "confident-majority",
        "DeepConf, arXiv 2508.15260: ballots count by the confidence of their rollout",
        original=_by(Voter.POLICY, View.ORIGINAL, weight=Weight.CONFIDENCE),
        paraphrase=_by(Voter.POLICY, View.PARAPHRASE, weight=Weight.CONFIDENCE),
    ),
    _row(
        "stable-majority",
        "TTRL-Guard, arXiv 2605.19444: a label that keeps changing earns less",
        original=_by(Voter.POLICY, View.ORIGINAL, gates=(Gate.STABILITY,)),
        paraphrase=_by(Voter.POLICY, View.PARAPHRASE, gates=(Gate.STABILITY,)),
    ),
    _row(
        "peer-majority",
        "Co-RL, arXiv 2608.17253: policies of other runs elect the label",
        original=_by(Voter.PEER, View.ORIGINAL),
        paraphrase=_by(Voter.PEER, View.PARAPHRASE),
        unaided="majority-voting",
    ),
    _row("ground-truth", "RLVR", ViewRule(label=LabelRule.GIVEN)),
    _measured(
        "self-certainty", "Zhao et al., Intuitor: the more certain, the better", statistic=Statistic.SELF_CERTAINTY
    ),
    _measured(
        "entropy",
        "Prabhudesai et al., RENT: entropy is minimised, so the reward is its negative",
        statistic=Statistic.ENTROPY,
        sign=-1.0,
    ),
    _row(
        "random",
        "a control: rewards that know nothing of the answer",
        ViewRule(label=LabelRule.NONE, reward=RewardShape.DRAW),
    ),
    _row(
        "format",
        "a control: any answer earns 1",
        ViewRule(label=LabelRule.NONE, reward=RewardShape.ANSWERED),
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType({row.name: row for row in _ROWS})

DEFAULT_METHOD = "co-rewarding-i"
"""That of a run whose settings name none."""

WITHIN_A_VIEW = "majority-voting"
"""What needs nothing but the rollouts themselves: no second view, teacher, truth or statistic."""

BY_TEACHER = "co-rewarding-ii"
"""The paper's row whose labels are the teacher's alone."""

BY_GROUND_TRUTH = next(row.name for row in _ROWS if row.needs_ground_truth)
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
