"""Elections: equal answers form classes, the largest class wins, and the order of arrival decides nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reward_service.domain.types import Ballot, View

_VIEW_ORDER: Mapping[View, int] = MappingProxyType({view: order for order, view in enumerate(View)})

Rank = tuple[int, int, int, str, str]


@dataclass(frozen=True, slots=True)
class Winner:
    """The class that won an election: a representative answer, its votes, and the ballots it was chosen from."""

    answer: str
    answer_class: str
    votes: int
    of: int


def rank(ballot: Ballot) -> Rank:
    """A ballot's place in the order that breaks ties: by rollout index, or by canonical key where there is none.

    Where two views vote together the original's rollout comes before the paraphrase's of the same index.
    """
    key = ballot.answer_class or ""
    if ballot.rollout is None:
        return (1, 0, 0, key, ballot.answer or "")
    return (0, ballot.rollout, _VIEW_ORDER[ballot.view], key, ballot.answer or "")


def elect(ballots: Iterable[Ballot]) -> Winner | None:
    """The largest class of the ballots; None if not one of them holds an answer.

    A tie goes to the class whose first ballot ranks lowest. Ballots without an answer do not vote, and count in `of`.
    Invariant under any permutation of the ballots and under any relabelling of classes that carry indices.
    """
    votes: dict[str, int] = {}
    first: dict[str, tuple[Rank, str]] = {}
    of = 0
    for ballot in ballots:
        of += 1
        key = ballot.answer_class
        if key is None or ballot.answer is None:
            continue
        votes[key] = votes.get(key, 0) + 1
        place = (rank(ballot), ballot.answer)
        if key not in first or place < first[key]:
            first[key] = place
    if not votes:
        return None
    elected = min(votes, key=lambda key: (-votes[key], first[key]))
    return Winner(first[elected][1], elected, votes[elected], of)
