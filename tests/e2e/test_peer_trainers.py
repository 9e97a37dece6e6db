"""Two laptop trainers label each other; one is killed, and the other ends as its run says."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_services import Service, service

from tests.support.waiting import wait_until

pytest.importorskip("torch", reason="the laptop trainer needs torch: pip install 'co-rewarding[local]'")
pytest.importorskip("transformers", reason="the laptop trainer needs transformers: pip install 'co-rewarding[local]'")

PROGRAM = Path(__file__).with_name("peer_trainer.py")
STEPS = 6
KILLED_AFTER = 2
ROLLOUTS = 64
STARTED_S = 100.0
PATIENCE_S = 40.0
ENDS_S = 2.9 * PATIENCE_S
"""The killed one costs the other a single deadline: with one in each step it would need at least three."""


class Trainer:
    """A process that trains, and what it has told so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", told: Path) -> None:
        self.process = process
        self._told = told

    @property
    def steps(self) -> list[dict[str, Any]]:
        lines = self._told.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]


@contextlib.contextmanager
def trainer(at: Service, run: str, seed: int, folder: Path) -> Iterator[Trainer]:
    told = folder / run
    with told.open("wb") as out:
        command = [sys.executable, str(PROGRAM), at.url, run, str(seed), str(STEPS)]
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)
    try:
        yield Trainer(process, told)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def at() -> Iterator[Service]:
    with service(workers=2) as made:
        yield made


def make(at: Service, run: str, peer: str, absent: str = "abstain", patience_s: float = 60.0) -> None:
    at.make_run(
        run, method="peer-majority", group_size=8, peers=[peer], peer_absent=absent, cohort_deadline_s=patience_s
    )


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_trainers_label_each_other_to_the_end(at: Service, run: str, tmp_path: Path) -> None:
    one, other = f"{run}-a", f"{run}-b"
    make(at, one, other)
    make(at, other, one)
    with trainer(at, one, 1, tmp_path) as first, trainer(at, other, 2, tmp_path) as second:
        for each in (first, second):
            assert each.process.wait(STARTED_S) == 0, each.process.stderr and each.process.stderr.read().decode()
            assert [step["voters"] for step in each.steps] == [["peer"]] * STEPS
            assert [step["abstained"] for step in each.steps] == [0] * STEPS
    for each in (one, other):
        assert at.state(each) == {
            "settled": STEPS * 8, "abstained": 0, "open": 0, "queued": 0,
            "waiting_for_teacher": 0,
        }  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("absent", "voters"), [("abstain", []), ("own-view", ["policy"])])
def test_one_is_killed_and_the_other_ends_as_its_run_says(
    at: Service, run: str, tmp_path: Path, absent: str, voters: list[str]
) -> None:
    one, other = f"{run}-a", f"{run}-b"
    make(at, one, other, absent, PATIENCE_S)
    make(at, other, one, absent, PATIENCE_S)
    with trainer(at, one, 1, tmp_path) as left, trainer(at, other, 2, tmp_path) as killed:
        wait_until(lambda: len(killed.steps) >= KILLED_AFTER, STARTED_S)
        killed.process.kill()
        killed.process.wait()
        assert left.process.wait(ENDS_S) == 0, left.process.stderr and left.process.stderr.read().decode()
        assert at.run(one)["absent_peers"] == [other]
        assert at.run(other)["absent_peers"] is None
        with_peer = [step for step in left.steps if step["voters"] == ["peer"]]
        assert KILLED_AFTER <= len(with_peer) < STEPS, "it was killed in the middle"
        assert [step["abstained"] for step in with_peer] == [0] * len(with_peer)
        alone = left.steps[len(with_peer) :]
        assert [step["step"] for step in left.steps] == list(range(STEPS))
        assert {tuple(step["voters"]) for step in alone} == {tuple(voters)}
        assert {step["abstained"] for step in alone} == {ROLLOUTS if absent == "abstain" else 0}
