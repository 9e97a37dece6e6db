"""What is proved of two answers, and how many classes some make."""

from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.answers.comparing import Proof, compare, group
from reward_service.domain.answers.reading import read_answer


def proof(one: str, other: str, conventions: Conventions) -> Proof:
    """Of two answers, whichever comes first."""
    found = {compare(read_answer(a, conventions), read_answer(b, conventions)) for a, b in ((one, other), (other, one))}
    assert len(found) == 1
    return found.pop()


def groups(answers: list[str], conventions: Conventions) -> int:
    return len(group(read_answer(answer, conventions) for answer in answers))
