"""What the sizing says follows from what was measured, and the page is what the command makes."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.held_many import HeldMany
from benchmarks.sizing_model import BATCHES, CALLS, CONNECTIONS, FULL, SINGLES, Training, cpu_us, most_per_s, size_of
from benchmarks.sizing_page import PAGE, written_again
from benchmarks.two_nodes import TwoNodes
from benchmarks.unit_costs import ROLES, UnitCosts

ROOT = Path(__file__).parents[2]
COSTS = UnitCosts.read()
ASKED = Training()


def test_the_page_is_what_was_measured() -> None:
    page = PAGE.read_text()
    assert written_again(page, COSTS, TwoNodes.read(), HeldMany.read()) == page, "make sizing writes its tables anew"


def test_twice_the_gpus_are_twice_the_rollouts() -> None:
    assert replace(ASKED, nodes=128).rollouts_per_s == pytest.approx(2 * ASKED.rollouts_per_s)
    assert replace(ASKED, parameters=16e9).rollouts_per_s == pytest.approx(ASKED.rollouts_per_s / 2)
    assert replace(ASKED, response_tokens=3500).rollouts_per_s == pytest.approx(ASKED.rollouts_per_s / 2)


@pytest.mark.parametrize("calls", CALLS)
def test_as_much_is_run_as_the_peak_needs_and_no_more(calls: str) -> None:
    for nodes in (1, 64, 4096):
        training = replace(ASKED, nodes=nodes, calls=calls)
        size = size_of(COSTS, training)
        used_us = cpu_us(COSTS, training)
        for role, count in (("API", size.api_processes), ("worker", size.workers), ("Valkey", size.stores)):
            busy = training.peak_per_s * used_us[role] / 1e6 / count
            assert busy <= FULL + 1e-9
            least = 1 if role == "Valkey" else 2
            by_held = -(-training.held // CONNECTIONS) if role == "API" else 0
            assert count == max(least, by_held) or training.peak_per_s * used_us[role] / 1e6 / (count - 1) > FULL


@pytest.mark.parametrize("calls", CALLS)
def test_a_part_is_full_at_the_rate_that_is_told(calls: str) -> None:
    training = replace(ASKED, calls=calls)
    limits = most_per_s(COSTS, training, 25.0)
    used_us = cpu_us(COSTS, training)
    assert {*limits} == {*ROLES, "network"}
    assert all(limits[role] * used_us[role] / 1e6 == pytest.approx(FULL) for role in ROLES)


def test_held_rollouts_need_connections() -> None:
    for prompts, processes in ((512, 2), (1024, 2), (2048, 4)):
        training = replace(ASKED, nodes=1, calls=SINGLES, prompts=prompts)
        assert training.held == prompts * 32
        assert size_of(COSTS, training).api_processes == processes
    assert replace(ASKED, prompts=10**6).held == 0, "batches hold nothing but their requests"


def test_a_longer_response_costs_the_api_alone() -> None:
    short, long = (cpu_us(COSTS, replace(ASKED, response_tokens=tokens)) for tokens in (500, 4000))
    assert long["API"] > short["API"]
    assert long["worker"] == short["worker"]
    assert cpu_us(COSTS, replace(ASKED, response_tokens=COSTS.of(BATCHES).body_bytes / 4)) == COSTS.of(BATCHES).cpu_us


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--model", "many"], "8B or 500M"),
        (["--model", "0B"], "from 1M"),
        (["--calls", "17"], "one of 256, 16, singles"),
        (["--nodes", "0"], "--nodes"),
        (["--tokens-per-s", "nan"], "--tokens-per-s"),
    ],
)
def test_what_cannot_be_is_told(options: list[str], told: str) -> None:
    ran = sized(*options)
    assert ran.returncode == 2
    assert told in ran.stderr


def test_the_command_says_what_to_run() -> None:
    ran = sized("--nodes", "64", "--calls", "singles", "--tokens-per-s", "10000")
    assert ran.returncode == 0, ran.stderr
    expected = 64 * 8 * 10_000 / 1750
    assert f"{expected:,.0f}" in ran.stdout
    assert "API processes" in ran.stdout


def sized(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.sizing", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
