"""Elections: equal answers form classes, the largest class wins, and the order of arrival decides nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

from co_rewarding_schema.vocabulary import View

from reward_service.domain.types import Ballot

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
    return (0, ballot.rollout, int(ballot.view is not View.ORIGINAL), key, ballot.answer or "")


def elect(ballots: Iterable[Ballot]) -> Winner | None:
    """The largest class of the ballots; None if not one of them holds an answer.

    A tie goes to the class whose first ballot ranks lowest. Ballots without an answer do not vote, and count in `of`.
    Invariant under any permutation of the ballots and under any relabelling of classes that carry indices.
    """
    cast: dict[str, list[Ballot]] = {}
    of = 0
    for ballot in ballots:
        of += 1
        if ballot.answer_class is not None and ballot.answer is not None:
            cast.setdefault(ballot.answer_class, []).append(ballot)
    if not cast:
        return None
    votes = max(map(len, cast.values()))
    largest = [(key, those) for key, those in cast.items() if len(those) == votes]
    if len(largest) == 1 and len({ballot.answer for ballot in largest[0][1]}) == 1:
        return Winner(largest[0][1][0].answer or "", largest[0][0], votes, of)
    # Who comes first is asked only where it decides something: a tie, or which of several texts speaks for a class.
    (*_, answer), elected = min((min((rank(b), b.answer or "") for b in those), key) for key, those in largest)
    return Winner(answer, elected, votes, of)
