"""What docs/methods.md says of votes, in plain Python: the specification that settled cohorts are compared with.

Nothing here is taken from the service: its table of methods is written a second time, and shares are fractions.
"""

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import log
from typing import NamedTuple

POLICY, TEACHER, PEER = "policy", "teacher", "peer"

ELECTORATES: dict[str, dict[str, tuple[str, str]]] = {
    "co-rewarding-i": {"o": (POLICY, "p"), "p": (POLICY, "o")},
    "co-rewarding-ii": {"o": (TEACHER, "o"), "p": (TEACHER, "p")},
    "co-rewarding-iii": {"o": (TEACHER, "p"), "p": (TEACHER, "o")},
    "majority-voting": {"o": (POLICY, "o"), "p": (POLICY, "p")},
    "majority-voting-union": {"o": (POLICY, "op"), "p": (POLICY, "op")},
    "self-harmony": {"o": (POLICY, "op"), "p": (POLICY, "op")},
    "teacher-harmony": {"o": (TEACHER, "op"), "p": (TEACHER, "op")},
    "soft-majority": {"o": (POLICY, "o"), "p": (POLICY, "p")},
    "verified-majority": {"o": (POLICY, "o"), "p": (POLICY, "p")},
    "confident-majority": {"o": (POLICY, "o"), "p": (POLICY, "p")},
    "stable-majority": {"o": (POLICY, "o"), "p": (POLICY, "p")},
    "peer-majority": {"o": (PEER, "o"), "p": (PEER, "p")},
}
"""For each method and view, who elects its label, on which views."""

WEIGHED_BY = {"verified-majority": "verified", "confident-majority": "confidence"}
"""The field of its evidence by which a ballot counts; 1 in all other methods."""
HARMONIC = ("self-harmony", "teacher-harmony")
"""The methods that elect by the harmonic mean of the shares of each voter and view."""
BY_SHARE = ("soft-majority",)
"""The methods under which a rollout earns the share of its own answer."""
IN_A_BAND = ("soft-majority",)
"""The methods with the gate `entropy-band`."""
BY_STABILITY = ("stable-majority",)
"""The methods with the gate `stability`."""
BY_STATISTIC = {"self-certainty": ("self_certainty", 1), "entropy": ("entropy", -1)}
"""The number that a rollout earns, and its sign."""
WITHOUT_LABELS = (*BY_STATISTIC, "random", "format")
ALL_METHODS = (*ELECTORATES, "ground-truth", *WITHOUT_LABELS)


class Vote(NamedTuple):
    """One answer to one view; `rollout` is its index within the group, where the client said one."""

    view: str
    rollout: int | None
    answer: str | None
    voter: str = POLICY
    counted: bool = True
    verified: bool | None = None
    confidence: float | None = None
    self_certainty: float | None = None
    entropy: float | None = None
    truth: str | None = None


class Needs(NamedTuple):
    """What a label needs: so many ballots, and such a share of its electorate. `earlier` are labels of its view."""

    votes: int
    share: float
    verified_weight: float = 5.0
    entropy_low: float = 0.0
    entropy_high: float | None = None
    stability_lambda: float = 0.5
    stability_window: int = 8
    earlier: Mapping[str, Sequence[str]] = {}


class Elected(NamedTuple):
    """A label."""

    answer: str
    votes: int | float
    of: int | float


class Outcome(NamedTuple):
    """What votes come to: a label for each view that has one, and a reward or a reason to abstain for each vote.

    A reward that is drawn is not said here: its vote has neither a reward nor a reason.
    """

    labels: dict[str, Elected]
    rewards: list[float | None]
    reasons: list[str | None]


def answer_class(answer: str) -> str:
    """The tests' grader: 4.0 is 4."""
    return answer.removesuffix(".0")


def weight(method: str, vote: Vote, needs: Needs) -> Fraction:
    """What a ballot counts."""
    field = WEIGHED_BY.get(method)
    if field == "verified":
        return Fraction(needs.verified_weight) if vote.verified else Fraction(1)
    if field == "confidence":
        return Fraction(vote.confidence or 0)
    return Fraction(1)


def boxes_of(method: str, view: str, votes: Sequence[Vote]) -> list[list[Vote]]:
    """The ballots that elect the label of a view, one list for each voter and view; some may be empty."""
    voter, voted_on = ELECTORATES[method][view]
    return [[v for v in votes if v.counted and v.voter == voter and v.view == on] for on in voted_on]


def share_in(method: str, name: str, box: Sequence[Vote], needs: Needs) -> Fraction:
    """s_b(a): the weight of a class among all ballots of a box."""
    for_it = sum((weight(method, v, needs) for v in box if _class(v) == name), Fraction(0))
    of = sum((weight(method, v, needs) for v in box), Fraction(0))
    return for_it / of if of else Fraction(0)


def elect(method: str, view: str, votes: Sequence[Vote], needs: Needs) -> Elected | None:
    """The winner, if it has what a label needs; of equally good classes the one with the first ballot."""
    boxes = boxes_of(method, view, votes)
    ballots = [vote for box in boxes for vote in box]
    merits: dict[str, Fraction] = {}
    for name in {_class(vote) for vote in ballots} - {None}:
        assert name is not None
        if method in HARMONIC:
            shares = [share_in(method, name, box, needs) for box in boxes]
            if all(shares):
                merits[name] = len(shares) / sum((1 / share for share in shares), Fraction(0))
        else:
            merits[name] = sum((weight(method, v, needs) for v in ballots if _class(v) == name), Fraction(0))
    if not any(merits.values()):
        return None
    first = {name: min(_order(v) for v in ballots if _class(v) == name) for name in merits}
    winner = min(merits, key=lambda name: (-merits[name], first[name]))
    votes_for = sum((weight(method, v, needs) for v in ballots if _class(v) == winner), Fraction(0))
    of = sum((weight(method, v, needs) for v in ballots), Fraction(0))
    ballots_for = sum(_class(v) == winner for v in ballots)
    if ballots_for < needs.votes or votes_for / of < Fraction(str(needs.share)):
        return None
    shown = min((v for v in ballots if _class(v) == winner), key=_order)
    return Elected(shown.answer or "", _number(votes_for), _number(of))


def entropy(method: str, view: str, votes: Sequence[Vote], needs: Needs) -> float:
    """H of the classes' votes among the answered ballots of the electorate, in nats."""
    answered = [v for box in boxes_of(method, view, votes) for v in box if v.answer is not None]
    of = sum((weight(method, v, needs) for v in answered), Fraction(0))
    total = 0.0
    for name in {_class(v) for v in answered}:
        p = sum((weight(method, v, needs) for v in answered if _class(v) == name), Fraction(0)) / of
        total -= float(p) * log(p) if p else 0.0
    return total


def flips(labels: Sequence[str]) -> Fraction:
    """The share of neighbours that differ as answers; 0 of fewer than two."""
    pairs = list(itertools.pairwise(labels))
    return Fraction(sum(answer_class(a) != answer_class(b) for a, b in pairs), len(pairs)) if pairs else Fraction(0)


def settle(
    method: str, votes: Sequence[Vote], needs: Needs, *, expired: bool, teachers: Sequence[Vote] = ()
) -> Outcome:
    """Labels of the views that have rollouts of the policy, and the rewards of all votes under them.

    `teachers` are ballots of others than the policy that are not rewarded.
    """
    if method not in ELECTORATES:
        return _unelected(method, votes)
    everyone = [*votes, *teachers]
    labels: dict[str, Elected] = {}
    gated: set[str] = set()
    for view in sorted({vote.view for vote in votes if vote.voter == POLICY}):
        label = elect(method, view, everyone, needs)
        if label is None:
            continue
        if method in IN_A_BAND:
            high = needs.entropy_high
            h = entropy(method, view, everyone, needs)
            if h < needs.entropy_low or (high is not None and h > high):
                gated.add(view)
                continue
        labels[view] = label
    rewards, reasons = reward(labels, votes, "expired" if expired else "no-label")
    reasons = ["gated" if vote.view in gated else why for vote, why in zip(votes, reasons, strict=True)]
    for position, vote in enumerate(votes):
        if rewards[position] is None:
            continue
        if method in BY_SHARE:
            boxes = boxes_of(method, vote.view, everyone)
            shares = [share_in(method, _class(vote) or "", box, needs) for box in boxes]
            rewards[position] = float(sum(shares) / len(shares)) if vote.answer is not None else 0.0
        elif method in BY_STABILITY:
            past = [*needs.earlier.get(vote.view, ()), labels[vote.view].answer][-needs.stability_window :]
            kept = 1 - Fraction(needs.stability_lambda) * flips(past)
            rewards[position] = float(kept) if rewards[position] else 0.0
    return Outcome(labels, rewards, reasons)


def reward(
    labels: dict[str, Elected], votes: Sequence[Vote], missing: str
) -> tuple[list[float | None], list[str | None]]:
    """1 for the label's class, 0 for any other answer or none; a view without a label abstains, all of it."""
    rewards: list[float | None] = []
    for vote in votes:
        label = labels.get(vote.view)
        same = label and vote.answer is not None and answer_class(vote.answer) == answer_class(label.answer)
        rewards.append(None if label is None else float(bool(same)))
    return rewards, [missing if each is None else None for each in rewards]


def _unelected(method: str, votes: Sequence[Vote]) -> Outcome:
    """The rewards of a method that asks nobody: by the truth, a statistic, an answer, or drawn."""
    if method == "ground-truth":
        truths = {vote.truth for vote in votes if vote.truth is not None}  # a question has one, whatever its wording
        labels = {vote.view: Elected(truth, 0, 0) for truth in truths for vote in votes}
        return Outcome(labels, *reward(labels, votes, "no-ground-truth"))
    if method == "format":
        return Outcome({}, [float(vote.answer is not None) for vote in votes], [None] * len(votes))
    if method == "random":
        return Outcome({}, [None] * len(votes), [None] * len(votes))
    field, sign = BY_STATISTIC[method]
    lacking = {vote.view for vote in votes if getattr(vote, field) is None}
    rewards = [None if vote.view in lacking else sign * getattr(vote, field) for vote in votes]
    return Outcome({}, rewards, ["no-statistics" if vote.view in lacking else None for vote in votes])


def _class(vote: Vote) -> str | None:
    return None if vote.answer is None else answer_class(vote.answer)


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _order(vote: Vote) -> tuple[object, ...]:
    """First by index, the original before the paraphrase; what has none comes after, by its class and answer."""
    answer = vote.answer or ""
    if vote.rollout is None:
        return (1, 0, 0, answer_class(answer), answer)
    return (0, vote.rollout, "op".index(vote.view), answer_class(answer), answer)
