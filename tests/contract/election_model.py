"""What docs/methods.md says of votes, in plain Python: the specification that settled cohorts are compared with."""

from collections.abc import Sequence
from typing import NamedTuple

POLICY, TEACHER = "policy", "teacher"

ELECTORATES: dict[str, dict[str, tuple[str, str]]] = {
    "co-rewarding-i": {"o": (POLICY, "p"), "p": (POLICY, "o")},
    "co-rewarding-ii": {"o": (TEACHER, "o"), "p": (TEACHER, "p")},
    "co-rewarding-iii": {"o": (TEACHER, "p"), "p": (TEACHER, "o")},
    "majority-voting": {"o": (POLICY, "o"), "p": (POLICY, "p")},
    "majority-voting-union": {"o": (POLICY, "op"), "p": (POLICY, "op")},
}
"""For each method and view, who elects its label, on which views."""


class Vote(NamedTuple):
    """One answer to one view; `rollout` is its index within the group, where the client said one."""

    view: str
    rollout: int | None
    answer: str | None
    voter: str = POLICY
    counted: bool = True


class Needs(NamedTuple):
    """What a label needs: so many votes, and such a share of its electorate."""

    votes: int
    share: float


class Elected(NamedTuple):
    """A label."""

    answer: str
    votes: int
    of: int


class Outcome(NamedTuple):
    """What votes come to: a label for each view that has one, and a reward or a reason to abstain for each vote."""

    labels: dict[str, Elected]
    rewards: list[float | None]
    reasons: list[str | None]


def answer_class(answer: str) -> str:
    """The tests' grader: 4.0 is 4."""
    return answer.removesuffix(".0")


def elect(electors: Sequence[Vote]) -> Elected | None:
    """The largest class; of equally large ones the one with the first ballot. Ballots without an answer only count."""
    classes: dict[str, list[Vote]] = {}
    for vote in electors:
        if vote.answer is not None:
            classes.setdefault(answer_class(vote.answer), []).append(vote)
    if not classes:
        return None
    winners = min(classes.values(), key=lambda those: (-len(those), min(map(_order, those))))
    return Elected(min(winners, key=_order).answer or "", len(winners), len(electors))


def _order(vote: Vote) -> tuple[object, ...]:
    """First by index, the original before the paraphrase; what has none comes after, by its class and answer."""
    answer = vote.answer or ""
    if vote.rollout is None:
        return (1, 0, 0, answer_class(answer), answer)
    return (0, vote.rollout, "op".index(vote.view), answer_class(answer), answer)


def settle(
    method: str, votes: Sequence[Vote], needs: Needs, *, expired: bool, teachers: Sequence[Vote] = ()
) -> Outcome:
    """Labels of the views that have rollouts, and the rollouts' rewards under them."""
    labels: dict[str, Elected] = {}
    for view, (voter, voted_on) in ELECTORATES[method].items():
        electors = [v for v in [*votes, *teachers] if v.counted and v.voter == voter and v.view in voted_on]
        elected = elect(electors)
        if elected and elected.votes >= needs.votes and elected.votes >= needs.share * elected.of:
            labels[view] = elected
    present = {vote.view for vote in votes}
    labels = {view: label for view, label in labels.items() if view in present}
    return Outcome(labels, *reward(labels, votes, "expired" if expired else "no-label"))


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
