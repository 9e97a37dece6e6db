"""`co-rewarding track`: the series of a real run in event files, each step once, whatever happens to the command."""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from co_rewarding_client import RewardClient
from co_rewarding_client.tracking import NO_STEP, Figures
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event

from tests.support.interrupting import COMMAND
from tests.support.ports import free_port
from tests.support.rollout_files import co_rewarding
from tests.support.service import running
from tests.support.waiting import wait_until
from tests.watch.test_watching import step_done

PACE = ("--every", "0.1", "--quiet", "0.5")
Logged = list[tuple[int, dict[str, float]]]


def logged(folder: Path) -> Logged:
    """What the event files of a folder hold, in the order in which they were written; every record is whole."""
    files = sorted(folder.glob("events.out.tfevents.*"), key=lambda file: file.stat().st_ctime)
    found: Logged = []
    for file in files:
        for event in map(Event.FromString, records(file.read_bytes())):
            if event.HasField("summary"):
                found.append((event.step, {value.tag: value.simple_value for value in event.summary.value}))
    return found


def records(data: bytes) -> Iterator[bytes]:
    while data:
        head, (length,) = data[:8], struct.unpack("<Q", data[:8])
        assert struct.unpack("<I", data[8:12]) == (masked(head),)
        record = data[12 : 12 + length]
        assert struct.unpack("<I", data[12 + length : 16 + length]) == (masked(record),)
        yield record
        data = data[16 + length :]


def masked(data: bytes) -> int:
    crc = crc32c(data) & 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running() as supervisor:
        yield supervisor.url


def following(url: str, run: str, place: Path) -> subprocess.Popen[str]:
    words = [*COMMAND, "track", run, str(place), "--to", "tensorboard", "--url", url, *PACE]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


def test_each_step_is_logged_once_with_the_figures_of_the_series(url: str, tmp_path: Path):
    run = f"run-{uuid4().hex[:8]}"
    for step in (1, 2, 5):
        step_done(url, run, step, "4454" if step == 2 else "4444")
    words = ("track", run, tmp_path, "--to", "tensorboard", "--url", url, *PACE, "--once")
    for _ in range(2):
        assert co_rewarding(*words).exit_code == 0
    with RewardClient(url) as client:
        series = client.series(run)
    found = logged(tmp_path / run)
    assert [step for step, _ in found] == [1, 2, 5]
    for (_, figures), point in zip(found, series, strict=True):
        numbers = {
            name: value
            for name, value in point.items()
            if isinstance(value, int | float) and name not in {"step", "attempt"}
        }
        assert point["abstentions"] == {}
        numbers["abstentions"] = 0
        assert figures == pytest.approx({f"co_rewarding/{name}": value for name, value in numbers.items()}, rel=1e-6)
    step_done(url, run, 6)
    assert co_rewarding(*words).exit_code == 0
    assert [step for step, _ in logged(tmp_path / run)] == [1, 2, 5, 6]


def test_killed_and_started_again_it_goes_on_behind_what_is_logged(url: str, tmp_path: Path):
    run, steps = f"run-{uuid4().hex[:8]}", 0
    for _ in range(4):
        for _ in range(3):
            steps += 1
            step_done(url, run, steps)
        process = following(url, run, tmp_path)
        wait_until(lambda least=steps - 1: len(logged(tmp_path / run)) >= least, 60.0, 0.05)
        process.kill()
        process.communicate()
    words = ("track", run, tmp_path, "--to", "tensorboard", "--url", url, *PACE, "--once")
    assert co_rewarding(*words).exit_code == 0
    assert [step for step, _ in logged(tmp_path / run)] == list(range(1, steps + 1))


def test_a_record_that_was_cut_by_a_kill_is_written_again(url: str, tmp_path: Path):
    run = f"run-{uuid4().hex[:8]}"
    for step in (1, 2):
        step_done(url, run, step)
    words = ("track", run, tmp_path, "--to", "tensorboard", "--url", url, *PACE, "--once")
    assert co_rewarding(*words).exit_code == 0
    (file,) = (tmp_path / run).iterdir()
    file.write_bytes(file.read_bytes()[:-7])
    assert co_rewarding(*words).exit_code == 0
    (other,) = set((tmp_path / run).iterdir()) - {file}
    assert [Event.FromString(record).step for record in records(other.read_bytes())] == [0, 2]


TAILS = {
    "zeros": bytes(4096),
    "noise": bytes(range(256)),
    "a length that no memory has": struct.pack("<Q", 2**62) + bytes(64),
    "data that are no event": struct.pack("<Q", 16) + bytes(4) + b"\xff" * 16 + bytes(4),
}


@pytest.mark.parametrize("tail", TAILS)
def test_what_a_dead_machine_has_left_behind_the_records_is_passed_over(url: str, tmp_path: Path, tail: str):
    run = f"run-{uuid4().hex[:8]}"
    step_done(url, run, 1)
    words = ("track", run, tmp_path, "--to", "tensorboard", "--url", url, *PACE, "--once")
    assert co_rewarding(*words).exit_code == 0
    (file,) = (tmp_path / run).iterdir()
    with file.open("ab") as stream:
        stream.write(TAILS[tail])
    step_done(url, run, 2)
    result = co_rewarding(*words)
    assert result.exit_code == 0, result.output
    (other,) = set((tmp_path / run).iterdir()) - {file}
    assert [Event.FromString(record).step for record in records(other.read_bytes())] == [0, 2]


def test_a_service_that_goes_away_and_returns_is_followed_on(tmp_path: Path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        with running(port=port, data_dir=Path(folder)):
            step_done(url, "default", 1)
            process = following(url, "default", tmp_path)
            wait_until(lambda: len(logged(tmp_path / "default")) == 1, 60.0, 0.05)
        with running(port=port, data_dir=Path(folder)):
            step_done(url, "default", 2)
            wait_until(lambda: len(logged(tmp_path / "default")) == 2, 60.0, 0.05)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "interrupted; the same command goes on from here" in said
    assert [step for step, _ in logged(tmp_path / "default")] == [1, 2]


def test_a_tracker_that_is_not_installed_is_told_with_its_extra(url: str, tmp_path: Path):
    program = "import sys; sys.modules['tensorboardX'] = None; from reward_service.__main__ import main; main()"
    words = [sys.executable, "-c", program, "track", "r", "p", "--to", "tensorboard", "--url", url]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path, env=os.environ)
    assert done.returncode == 2
    assert "--to tensorboard needs tensorboardX, which the extra 'tensorboard' installs" in done.stderr


class Full:
    """A tracker whose account is full."""

    def last_step(self) -> int:
        return NO_STEP

    def log(self, step: int, figures: Figures) -> None:
        raise RuntimeError("429: your quota is used up")


def test_what_a_tracker_raises_while_it_logs_is_a_line(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    @contextlib.contextmanager
    def opened(*_: object) -> Iterator[Full]:
        yield Full()

    monkeypatch.setattr("reward_service.tools.track.command.open_tracker", opened)
    run = f"run-{uuid4().hex[:8]}"
    step_done(url, run, 3)
    refused = co_rewarding("track", run, "project", "--to", "mlflow", "--url", url, *PACE, "--once")
    assert refused.exit_code == 2
    assert "mlflow cannot log to project, step 3: 429: your quota is used up" in refused.stderr


def test_a_place_that_cannot_be_is_told(url: str, tmp_path: Path):
    (tmp_path / "a-file").touch()
    refused = co_rewarding("track", "r", tmp_path / "a-file", "--to", "tensorboard", "--url", url)
    assert refused.exit_code == 2
    assert "a-file" in refused.stderr
