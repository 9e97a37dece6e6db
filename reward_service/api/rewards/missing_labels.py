"""Say in words why the rollouts of a view abstained: who elects the label, and what was missing. Pure."""

from collections.abc import Sequence

from co_rewarding_schema.method_rules import Box, LabelRule
from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.vocabulary import Abstention, PeerAbsent, Quarantine, View

from reward_service.api.runs.models import BallotDocument
from reward_service.store.records import Rules

REASONS = {
    Abstention.NO_GROUND_TRUTH: "no rollout of the question came with a ground truth",
    Abstention.NO_STATISTICS: "the reward is a statistic, and a rollout of the group came without it",
    Abstention.QUARANTINED: "the pair is in quarantine, because its two views keep disagreeing",
    Abstention.GATED: "the entropy of the answers is outside of the run's entropy_low to entropy_high",
}


def why_unlabelled(rules: Rules, ballots: Sequence[BallotDocument]) -> dict[View, str]:
    """Return why, for each view whose rollouts abstained, as a clause without a full stop."""
    reason_of = {ballot.view: ballot.abstention for ballot in ballots if ballot.abstention is not None}
    return {view: _why(rules, view, reason, ballots) for view, reason in reason_of.items()}


def _why(rules: Rules, view: View, reason: Abstention, ballots: Sequence[BallotDocument]) -> str:
    if reason in REASONS:
        return REASONS[reason]
    if any(each.answer is not None for each in ballots) and all(each.answer_class is None for each in ballots):
        return "no worker could settle the cohort: its job failed again and again, and the log of a worker says why"
    late = "the deadline passed, and " if reason is Abstention.EXPIRED else ""
    return late + _missing(rules, view, ballots)


def _missing(rules: Rules, view: View, ballots: Sequence[BallotDocument]) -> str:
    """Return what the label of a view lacks, by the electorate of its method."""
    method = METHODS.get(rules.method)
    own_view = rules.quarantine == Quarantine.OWN_VIEW or (
        rules.peers is not None and rules.peers.absent == PeerAbsent.OWN_VIEW
    )
    if method is None or own_view:  # another row may have labelled the view, and no record says which
        return "those who elect the label gave no answer, or too few of them agree"
    rule = method.rules[view]
    classes_of = {box: _classes(box, ballots) for box in rule.boxes}
    lacking = [box for box, classes in classes_of.items() if not any(classes)]
    harmonic = rule.label is LabelRule.HARMONIC
    if lacking and (harmonic or len(lacking) == len(rule.boxes)):
        missing = "which gave no answer" if any(classes_of[box] for box in lacking) else "which sent no ballot"
        voters = " and ".join(f"the {box.voter} on the {box.view}" for box in lacking)
        return f"the label is elected by {voters}, {missing}"
    if harmonic and not set.intersection(*(set(classes) - {None} for classes in classes_of.values())):
        return "no answer was given on both views"
    return f"no answer has the votes that the run asks for: min_votes {rules.min_votes}, min_vote_share " + (
        f"{rules.min_vote_share:g}"
    )


def _classes(box: Box, ballots: Sequence[BallotDocument]) -> list[str | None]:
    """Return the class of each ballot that counts in a box; None for a ballot without an answer."""
    return [each.answer_class for each in ballots if each.counted and (each.voter, each.view) == box]
