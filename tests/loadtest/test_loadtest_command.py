"""The command, with Locust and a service of its own, for a few seconds."""

import subprocess
import sys
from pathlib import Path

import httpx

from tests.service import running


def loadtest(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reward_service.cli", "loadtest", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


def test_mixed_traffic_is_rewarded_right_and_reported(tmp_path: Path):
    with running(api_keys=["secret"]) as supervisor:
        url, key = ("--url", supervisor.url), ("--api-key", "secret")
        shape = ("--rate", "200", "--seconds", "3", "--prompts", "8", "--batch", "32")
        done = loadtest(*url, *key, *shape, "--out", str(tmp_path))
        assert done.returncode == 0, done.stdout + done.stderr
        text = (tmp_path / "report.md").read_text()
        assert "No errors." in text
        for row in (
            "| batches |",
            "| singles | 256 |",
            "| after a cohort's last ballot | 16 |",
            "| worker |",
            "| redis |",
        ):
            assert row in text
        assert (tmp_path / "report.png").stat().st_size > 10_000
        state = httpx.get(f"{supervisor.url}/v1/runs/loadtest", headers={"authorization": "Bearer secret"}).json()
        assert state["state"]["settled"] > 16
        assert state["state"]["open"] == 0


def test_no_more_is_sent_than_was_allowed(tmp_path: Path):
    with running() as supervisor:
        shape = ("--traffic", "batches", "--rate", "2000", "--seconds", "5", "--batch", "16", "--most-rollouts", "64")
        done = loadtest("--url", supervisor.url, *shape, "--out", str(tmp_path))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "| batches | 4 | 64 |" in (tmp_path / "report.md").read_text()


def test_a_service_that_is_away_is_named(tmp_path: Path):
    done = loadtest("--url", "http://127.0.0.1:9", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "does not answer" in done.stderr
    assert not list(tmp_path.iterdir())
