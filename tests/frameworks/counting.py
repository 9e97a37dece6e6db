"""Read what the programs of the frameworks print, and count beside it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from co_rewarding_client.testing.reference import Key, cross_view_rewards
from co_rewarding_client.testing.sampling import Sampled

BOX = re.compile(r"\\boxed\{(.*)\}")


def sampled(told: Mapping[str, Any]) -> Sampled:
    """Return a rollout as a program tells it: its group, its index there, and its response or its answer."""
    found = BOX.search(told.get("response", ""))
    return Sampled(
        question_id=told["question_id"],
        view=told["view"],
        index=told["index"],
        prompt="",
        response=told.get("response", ""),
        answer=found[1] if found else told.get("answer"),
    )


def counted(lines: Iterable[Mapping[str, Any]]) -> dict[Key, float | None]:
    """Return the rewards of co-rewarding-i by plain counting."""
    return cross_view_rewards([sampled(line) for line in lines])


def told_key(line: Mapping[str, Any]) -> Key:
    """Return what names a rollout."""
    return line["question_id"], line["view"], line["index"]
