"""A whole service for tests: its processes, and how to reach them."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from reward_service.serving.supervisor import Supervisor
from reward_service.settings import Settings


@contextlib.contextmanager
def running(*, ready: bool = True, **settings: Any) -> Iterator[Supervisor]:
    """A service with these settings over a folder of its own; its processes are kept alive meanwhile."""
    # Not pytest's folder: the path of a Unix socket is short.
    folder = Path(tempfile.mkdtemp(prefix="cr-"))
    supervisor = Supervisor(Settings(**{"data_dir": folder, "port": 0, "log_level": "ERROR"} | settings))
    try:
        with supervisor.kept():
            if ready:
                supervisor.wait_ready()
            yield supervisor
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def rollout(question_id: str, view: str, index: int, answer: str | None, **more: Any) -> dict[str, Any]:
    """A rollout as it is sent."""
    response = "no answer" if answer is None else f"Let me think. So it is \\boxed{{{answer}}}."
    return {"question_id": question_id, "view": view, "rollout": index, "response": response} | more


def pair(question_id: str, original: list[str | None], paraphrase: list[str | None]) -> list[dict[str, Any]]:
    """The rollouts of a question's two views."""
    views = {"original": original, "paraphrase": paraphrase}
    return [rollout(question_id, view, n, answer) for view, group in views.items() for n, answer in enumerate(group)]


def assert_problem(response: httpx.Response, status: int, *words: str) -> None:
    """The answer is a problem document of this status that says these words."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:co-rewarding:problem:")
    assert len(document["detail"]) > 10
    for word in words:
        assert word in document["detail"], document
