"""The command, with Locust and a service of its own, for a few seconds."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.interrupting import COMMAND
from tests.support.service import running
from tests.support.waiting import wait_until


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


def test_its_page_starts_it_and_cannot_send_it_elsewhere(tmp_path: Path):
    with running() as supervisor, socket.create_server(("127.0.0.1", 0)) as elsewhere:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        shape = ("--traffic", "batches", "--rate", "200", "--seconds", "2", "--batch", "16", "--web", port)
        command = [*COMMAND, "loadtest", "--url", supervisor.url, *shape]
        page = f"http://127.0.0.1:{port}"
        process = subprocess.Popen(
            [*command, "--out", str(tmp_path)], start_new_session=True, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: _state(page) == "ready", 60.0)
            host = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
            form = {"user_count": "1", "spawn_rate": "1", "host": host}
            assert httpx.post(f"{page}/swarm", data=form, timeout=30.0).json()["success"]
            wait_until(lambda: _state(page) == "stopped", 60.0)
        finally:
            os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
            assert process.wait(30.0) == 0
        assert "No errors." in (tmp_path / "report.md").read_text()
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def _state(page: str) -> str:
    try:
        return httpx.get(f"{page}/stats/requests", timeout=10.0).json()["state"]
    except httpx.HTTPError:
        return ""


def test_a_service_that_is_away_is_named(tmp_path: Path):
    done = loadtest("--url", "http://127.0.0.1:9", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "does not answer" in done.stderr
    assert not list(tmp_path.iterdir())
