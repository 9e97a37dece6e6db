"""A process that dies while it starts is started again ever more rarely, and its reason is said once, in a line."""

import json
import subprocess
import sys
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from reward_service.processes import Beginning
from reward_service.serving.children import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    LONGEST_UNREADY_PAUSE_S,
    SETTLED_AFTER_S,
    Child,
)
from tests.support.started import CLI, started
from tests.support.waiting import wait_until

DIED = "a process died before it was ready; starting another"


def events(said: str, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, said.splitlines()[1:]) if line["event"] == event]


@pytest.mark.parametrize("role", ["teacher", "paraphraser"])
def test_a_model_that_is_none_is_said_once_and_tried_ever_more_rarely(role: str) -> None:
    words = ["serve", "--port", "0", f"--{role}", "./no/such model", "--weights-root", "/tmp"]
    with started([*CLI, *words], CO_REWARDING_LOG_JSON="true") as one:
        wait_until(lambda: one.said.count(DIED) >= 3 and one.said.endswith("\n"), 90.0)
        deaths = events(one.said, DIED)  # every line is JSON but the first, which says where the service is
    assert [each["failed_starts"] for each in deaths] == [1, 2, 3]
    assert [each["again_in_s"] for each in deaths] == [0.1, 0.2, 0.4]
    assert {each["role"] for each in deaths} == {role}
    assert deaths[0]["reason"].startswith("./no/such model holds no model")
    assert one.said.count("./no/such model holds no model") == 1


def child(said: bytes, lived_s: float = 0.0, **more: Any) -> Child:
    """A process that has ended after it said this of its beginning."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    beginning = Beginning()
    with open(beginning.writing, "wb") as writing:
        writing.write(said)
    return Child("worker", process, beginning, started_s=time.monotonic() - lived_s, **more)


def ended(one: Child) -> tuple[float, list[Any]]:
    """The pause before the next, and the reasons that were said."""
    now_s = time.monotonic()
    with capture_logs() as logs:
        one.ended(now_s)
    assert one.start_at_s is not None
    return round(one.start_at_s - now_s, 3), [each["reason"] for each in logs if "reason" in each]


def test_pauses_grow_to_a_minute_and_no_more() -> None:
    pauses = [ended(child(b"why\n", failed_starts=failed, reason="why"))[0] for failed in (0, 1, 2, 9, 10, 10_000)]
    assert pauses == [0.1, 0.2, 0.4, 51.2, LONGEST_UNREADY_PAUSE_S, LONGEST_UNREADY_PAUSE_S]
    lasting = child(b"", lived_s=3600.0, failed_starts=10)
    assert ended(lasting)[0] == LONGEST_UNREADY_PAUSE_S, "a start that takes long and fails has failed"


def test_a_reason_is_said_when_it_is_news() -> None:
    assert ended(child(b"why\n"))[1] == ["why"]
    assert ended(child(b"why\n", reason="why"))[1] == []
    assert ended(child(b"", reason="why"))[1] == [], "killed, it said nothing"
    assert ended(child(b"another\n", reason="why"))[1] == ["another"]


def test_one_that_was_ready_comes_back_at_once() -> None:
    assert ended(child(b"\n"))[0] == FIRST_PAUSE_S
    assert ended(child(b"\n", failed_starts=20))[0] == FIRST_PAUSE_S
    assert ended(child(b"\n", pause_s=100.0))[0] == LONGEST_PAUSE_S
    assert ended(child(b"\n", lived_s=SETTLED_AFTER_S + 1, pause_s=100.0))[0] == FIRST_PAUSE_S
    recovered = child(b"\n", failed_starts=20, reason="why")
    ended(recovered)
    assert (recovered.failed_starts, recovered.reason) == (0, None)
