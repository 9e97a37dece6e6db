"""What `ray status` prints: in 80 columns, with each node that does not answer."""

from typing import Any

import pytest
from rich.console import Console

from reward_service.on_ray.drawing import picture

API: dict[str, Any] = {
    "name": "api/ab12", "role": "api", "state": "running", "address": "10.0.0.1", "restarts": 0,
    "url": "http://10.0.0.1:8000", "reason": None,
}  # fmt: skip
STATUS: dict[str, Any] = {
    "name": "co-rewarding", "ready": True, "store": "redis://10.0.0.9:6379", "store_node": None, "store_folder": None,
    "scales": {"worker": {"count": 1, "least": 1, "most": 4, "signal": 0.5}}, "lost_nodes": [], "parts": [API],
}  # fmt: skip


def drawn(status: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    Console(width=80).print(picture(status))
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text.split())


def test_a_node_that_does_not_answer_is_named(capsys: pytest.CaptureFixture[str]):
    assert "does not answer" not in drawn(STATUS, capsys)
    lost = drawn(STATUS | {"lost_nodes": ["10.0.0.7", "10.0.0.8"]}, capsys)
    for address in ("10.0.0.7", "10.0.0.8"):
        assert f"the node {address} does not answer: its parts are elsewhere until it does" in lost


def test_a_part_that_is_silent_says_why(capsys: pytest.CaptureFixture[str]):
    silent = API | {"state": "silent", "address": None, "url": None, "reason": "it does not answer"}
    text = drawn(STATUS | {"ready": False, "parts": [silent]}, capsys)
    assert "NOT whole: see below" in text
    assert "api/ab12: it does not answer" in text
