"""How requests and questions are named by their content."""

import hashlib
import zlib

import msgspec
from co_rewarding_schema.rollouts import RewardRequest

COMPARED_CHARS = 256


def digest(*parts: str | bytes, size: int = 16) -> str:
    """A name for content: `size` bytes in hexadecimal, the same for the same parts."""
    hasher = hashlib.sha256()  # which processors have instructions for
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()[: 2 * size]


def fingerprint_of(request: RewardRequest) -> str:
    """What two requests under one key are compared by: all that they ask for, but for how long they wait.

    A checksum stands for a long text: the whole of every text would be read as slowly as it was parsed.
    """
    asked = (request.run, request.step, request.method, request.complete)
    rollouts = [
        (
            each.question_id, _sum_of(each.prompt), each.view, each.rollout, each.attempt, each.voter,
            _sum_of(each.response), each.ground_truth, each.statistics,
        )
        for each in request.rollouts
    ]  # fmt: skip
    return digest(msgspec.msgpack.encode((asked, rollouts)))


def _sum_of(text: str | None) -> object:
    if text is None or len(text) <= COMPARED_CHARS:
        return text
    return len(text), zlib.crc32(text.encode("utf-8", "surrogatepass"))


def question_of_prompt(prompt: str) -> str:
    """How a question that is known by its text alone is named."""
    return f"prompt:{digest(prompt, size=12)}"
