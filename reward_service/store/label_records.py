"""Define the teacher's labels, and what the teacher is asked, as they are kept in Redis."""

import msgspec

from reward_service.store.records import BallotRow


class TeacherLabel(msgspec.Struct, array_like=True, frozen=True):
    """What the teacher answered to one view of a question: `rows_G` are its ballots, drawn from `seed` at `version`."""

    version: int
    seed: int
    model: str
    rows_G: list[BallotRow]


class TeacherPrompt(msgspec.Struct, array_like=True, frozen=True):
    """What the teacher is asked: the text as the policy reads it; or a plain question; or (role, content) messages."""

    text: str | None = None
    question: str | None = None
    messages: list[tuple[str, str]] | None = None


def unpack_label(data: bytes) -> TeacherLabel:
    """A teacher's label."""
    return msgspec.msgpack.decode(data, type=TeacherLabel)


def unpack_prompt(data: bytes) -> TeacherPrompt:
    """What the teacher is asked."""
    return msgspec.msgpack.decode(data, type=TeacherPrompt)
