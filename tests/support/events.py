"""Read server-sent events, as a page does."""

import json
from typing import Any, NamedTuple


class Event(NamedTuple):
    """One event; `data` is JSON."""

    name: str
    data: Any
    id: str | None


def parsed(written: bytes) -> list[Event]:
    """The whole events of what was written."""
    found: list[Event] = []
    for block in written.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if "data" in fields:
            found.append(Event(fields["event"], json.loads(fields["data"]), fields.get("id")))
    return found
