"""What the judge, its template and its children say to each other: JSON behind four bytes of length."""

import socket
from typing import TypeVar

import msgspec

from reward_service.grading.verdicts import Verdict

LENGTH_BYTES = 4
LONGEST_BYTES = 1 << 20

Message = TypeVar("Message", bound=msgspec.Struct)


class JudgeLimits(msgspec.Struct, frozen=True):
    """What a child may use. Passed to the template when it is started."""

    cpu_s: float = 2.0
    """CPU time (s) for one question; the kernel kills a child that has used it."""
    growth_bytes: int = 256 << 20
    """Address space (bytes) a child may add to what it is born with."""
    recycle_bytes: int = 96 << 20
    """A child whose resident memory has grown by this much (bytes) ends after its answer."""
    questions: int = 500
    """A child ends after this many answers."""


class Hello(msgspec.Struct, frozen=True):
    """A child is there."""

    pid: int


class JudgeQuestion(msgspec.Struct, frozen=True):
    """Are these two answers equal? `guarded` is False only in tests of the limits."""

    a: str
    b: str
    guarded: bool = True


class JudgeReply(msgspec.Struct, frozen=True):
    """A child's answer; `last` says that it ends now and wants to be replaced."""

    verdict: Verdict
    reason: str
    cpu_s: float
    last: bool = False


def framed(message: msgspec.Struct) -> bytes:
    """A message as it travels."""
    payload = msgspec.json.encode(message)
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def length_of(prefix: bytes) -> int:
    """How many bytes follow; ValueError if no message of ours is as long."""
    length = int.from_bytes(prefix, "big")
    if length > LONGEST_BYTES:
        raise ValueError(f"a message of {length} bytes")
    return length


def receive(stream: socket.socket, kind: type[Message]) -> Message | None:
    """The next message, waiting for it; None at the end of the stream."""
    prefix = _exactly(stream, LENGTH_BYTES)
    payload = _exactly(stream, length_of(prefix)) if prefix is not None else None
    return msgspec.json.decode(payload, type=kind) if payload is not None else None


def _exactly(stream: socket.socket, count: int) -> bytes | None:
    received = b""
    while len(received) < count:
        more = stream.recv(count - len(received))
        if not more:
            return None
        received += more
    return received
