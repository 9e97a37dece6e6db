"""`co-rewarding watch`: what is seen of a real run, and of one whose service goes away and returns."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from co_rewarding_client import RewardClient, Rollout, RunSettings, Surroundings, Unauthorized

from reward_service.tools.watch.watching import RunWatcher
from tests.support.interrupting import COMMAND
from tests.support.ports import free_port
from tests.support.rollout_files import boxed, co_rewarding
from tests.support.service import running
from tests.support.waiting import wait_until

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def step_done(url: str, run: str, step: int, answers: str = "4454") -> None:
    """A batch of one question in a step, settled."""
    batch = [
        Rollout(question_id="q", view=view, rollout=at, response=boxed(answer))
        for view in ("original", "paraphrase")
        for at, answer in enumerate(answers)
    ]
    with RewardClient(url, run=run, patience_s=60.0) as client:
        client.put_run(run, RunSettings(method="co-rewarding-i"))
        client.rewards(batch, step=step)


class Terminal:
    """The command in a terminal of 80 columns; what it has shown."""

    def __init__(self, *words: str) -> None:
        self._own, its = os.openpty()
        environment = os.environ | {"COLUMNS": "80", "LINES": "50", "TERM": "xterm", "NO_COLOR": "1"}
        self.process = subprocess.Popen([*COMMAND, *words], stdin=its, stdout=its, stderr=its, env=environment)
        os.close(its)
        self._shown = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the terminal is closed when the command ends
            while data := os.read(self._own, 65536):
                self._shown += ESCAPES.sub("", data.decode(errors="replace"))

    def shows(self, *words: str) -> None:
        """Wait until it has shown all of these since the last time."""
        wait_until(lambda: all(word in self._shown for word in words), 60.0)
        self._shown = ""

    def interrupted(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self._reader.join(10)
        os.close(self._own)
        return code


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield Path(folder)


def test_it_survives_a_service_that_goes_away_and_returns(folder: Path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(port=port, data_dir=folder):
        step_done(url, "default", 3)
        terminal = Terminal("watch", "default", "--url", url, "--every", "0.1")
        terminal.shows("default, co-rewarding-i, at", "step 3", "vote share", "answers in a group")
        step_done(url, "default", 4)
        terminal.shows("step 4", "2 steps")
    terminal.shows("the service does not answer", "step 4")
    with running(port=port, data_dir=folder):
        step_done(url, "default", 5)
        terminal.shows("step 5", "3 steps")
    assert terminal.interrupted() == 0


def test_one_picture_where_there_is_no_terminal():
    with running() as supervisor:
        step_done(supervisor.url, "default", 3)
        shown = co_rewarding("watch", "default", "--url", supervisor.url)
        assert (shown.exit_code, shown.stderr) == (0, "")
        assert "step 3" in shown.stdout
        absent = co_rewarding("watch", "absent", "--url", supervisor.url)
        assert absent.exit_code == 2
        assert "run absent at" in absent.stderr
        assert "the service has no such run, or not yet" in absent.stderr


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def problem(status: int) -> httpx.Response:
    return httpx.Response(status, json={"status": status, "title": "Wrong", "detail": "something is wrong"})


class Told:
    """A service whose run has settled so many cohorts, or that answers with a fault."""

    def __init__(self) -> None:
        self.settled = 0
        self.fault: httpx.Response | Exception | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return self.fault
        document: dict[str, Any] = {
            "/v1/runs/r": {"method": "majority-voting", "state": {"settled": self.settled, "abstained": 0, "open": 1}},
            "/v1/runs/r/series": {"run": "r", "steps": [{"step": 1, "vote_share": 0.5}]},
        }[request.url.path]
        return httpx.Response(200, json=document)


@pytest.fixture
def watched() -> Iterator[tuple[Told, Clock, RunWatcher]]:
    told, time = Told(), Clock()
    transport = httpx.MockTransport(told)
    with RewardClient(
        "http://s", patience_s=0.0, transport=transport, surroundings=Surroundings(clock_s=time)
    ) as client:
        yield told, time, RunWatcher(client, "r", "http://s", time)


def test_the_rate_is_of_the_last_minute(watched: tuple[Told, Clock, RunWatcher]):
    told, time, watcher = watched
    assert watcher.look().cohorts_per_s is None
    for settled, rate in [(10, 1.0), (30, 1.5), (60, 2.0)]:
        time.now_s += 10.0
        told.settled = settled
        assert watcher.look().cohorts_per_s == rate
    time.now_s += 300.0
    watcher.look()
    time.now_s += 10.0
    assert watcher.look().cohorts_per_s == 0.0
    time.now_s += 10.0
    told.settled = 2
    assert watcher.look().cohorts_per_s is None, "the run began anew"


@pytest.mark.parametrize(
    ("fault", "why"),
    [(httpx.ConnectError("refused"), "does not answer"), (problem(503), "does not answer"),
     (problem(404), "no such run")],
)  # fmt: skip
def test_what_was_seen_stays_while_there_is_trouble(
    watched: tuple[Told, Clock, RunWatcher], fault: httpx.Response | Exception, why: str
):
    told, time, watcher = watched
    watcher.look()
    told.fault = fault
    assert watcher.look().trouble_s == 0.0
    time.now_s += 7.0
    seen = watcher.look()
    assert seen.trouble is not None
    assert why in seen.trouble
    assert seen.trouble_s == 7.0
    assert seen.points[-1]["step"] == 1
    told.fault = None
    assert watcher.look().trouble is None


def test_a_refusal_is_no_trouble_that_passes(watched: tuple[Told, Clock, RunWatcher]):
    told, _, watcher = watched
    told.fault = problem(401)
    with pytest.raises(Unauthorized):
        watcher.look()
