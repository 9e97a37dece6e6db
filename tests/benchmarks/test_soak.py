"""The soak: its questions' rewards are those of the domain, what is wrong is told, and a short one runs for real."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from co_rewarding_schema.methods import method_named
from co_rewarding_schema.vocabulary import View, Voter

from benchmarks.soak_model import answer_to
from benchmarks.soak_page import WARM_UP_SHARE
from benchmarks.soak_parts import WITNESSES
from benchmarks.soak_questions import DueRollout, in_parts, singles, taught
from benchmarks.soak_traffic import Ledger
from benchmarks.soak_troubles import FULL_STORE, SLOW_DISK, period_s, planned
from reward_service.domain.cohort import Ballot
from reward_service.domain.extraction import last_boxed
from reward_service.domain.settlement import settle

ROOT = Path(__file__).parents[2]
PARTS = ["store", "model", *WITNESSES, "worker-2", "teacher", "api-2"]


def ballot(view: str, voter: Voter, index: int, response: str) -> Ballot:
    text = last_boxed(response)
    value = None if text is None else str(number_in(text))
    return Ballot(View(view), voter, index, text, value)


def number_in(text: str) -> float:
    if text.startswith("\\frac"):
        return int(text.removeprefix("\\frac{").partition("}")[0]) / 2
    return float(text)


def rewards(method: str, rollouts: Sequence[DueRollout], teachers: Sequence[str] = ()) -> list[float | None]:
    ballots = [ballot(each.view, Voter.POLICY, each.index, each.response) for each in rollouts]
    electors = [ballot("original", Voter.TEACHER, index, text) for index, text in enumerate(teachers)]
    return list(settle(method_named(method), ballots, electors_E=electors).rewards_B)


@pytest.mark.parametrize(("method", "make"), [("co-rewarding-i", in_parts), ("majority-voting", singles)])
def test_rewards_are_those_of_the_domain(method: str, make: Callable[[int, int], list[DueRollout]]):
    seen = set()
    for number in range(300):
        rollouts = make(5, number)
        assert rewards(method, rollouts) == [each.reward for each in rollouts], rollouts
        seen |= {each.reward for each in rollouts}
    assert seen == {0.0, 1.0}


def test_taught_rewards_are_those_of_the_domain():
    for number in range(300):
        rollouts = taught(5, number)
        said = f"\\boxed{{{answer_to(number)}}}"
        assert rewards("co-rewarding-ii", rollouts, [said]) == [each.reward for each in rollouts], rollouts


def test_a_seed_says_what_is_sent():
    assert in_parts(1, 7) == in_parts(1, 7)
    assert [in_parts(1, number) for number in range(20)] != [in_parts(2, number) for number in range(20)]


def test_a_wrong_or_a_missing_reward_is_a_fault():
    ledger = Ledger()
    rollouts = in_parts(1, 0)
    ledger.note(rollouts, [each.reward for each in rollouts], 1)
    assert not ledger.faults
    assert ledger.rewarded == {"rollouts": len(rollouts), "cohorts": 1}
    for wrong in ([1.0 - rollouts[0].reward, *(each.reward for each in rollouts[1:])], [None] * len(rollouts)):
        before = ledger.fault_count
        ledger.note(rollouts, wrong, 1)
        assert ledger.fault_count > before
        assert ledger.rewarded["cohorts"] == 1


@pytest.mark.parametrize("lasts_s", [30.0, 180.0, 2700.0])
def test_every_part_but_the_witnesses_is_restarted_and_killed_in_a_long_soak(lasts_s: float):
    troubles = planned(PARTS, lasts_s)
    assert [each.at_s for each in troubles] == sorted(each.at_s for each in troubles)
    assert all(0.0 < each.at_s < lasts_s for each in troubles)
    whats = [each.what for each in troubles]
    assert whats.count(SLOW_DISK) == whats.count(FULL_STORE) == (2 if lasts_s == 2700.0 else 1)
    assert {*whats} - {SLOW_DISK, FULL_STORE} == {*PARTS} - {*WITNESSES}
    if lasts_s == 2700.0:
        assert period_s(lasts_s) == 120.0
        assert {each.what for each in troubles if each.kill} == {*PARTS} - {*WITNESSES}
        warming = [each for each in troubles if each.at_s < WARM_UP_SHARE * lasts_s]
        assert {SLOW_DISK, FULL_STORE} <= {each.what for each in warming}
        assert any(each.what == "store" and each.kill for each in warming)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_short_soak_loses_nothing(tmp_path: Path):
    command = [sys.executable, "-m", "benchmarks.soak", "--minutes", "0.5", "--cohorts", "2000", "--out", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found: dict[str, Any] = json.loads((tmp_path / "soak.json").read_text())
    assert found["faults"] == []
    assert found["due"] == found["rewarded"]
    assert sum(run["cohorts"] for run in found["due"].values()) == 2000
    whats = {passed["trouble"]["what"] for passed in found["troubles"]}
    assert whats == {"store", "model", "worker-2", "teacher", "api-2", SLOW_DISK, FULL_STORE}
    last = found["samples"][-1]
    assert {"api-1/api", "worker-1/worker", "store/store", "teacher/teacher"} <= last["processes"].keys()
    page = (tmp_path / "soak.md").read_text()
    assert "rewarded once, and as it must be" in page
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")
