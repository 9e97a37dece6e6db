"""The tour runs from start to end, and shows what it says that it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_the_tour(tmp_path: Path) -> None:
    environment = os.environ | {"TOUR_OUT": str(tmp_path), "COLUMNS": "80"}
    command = [sys.executable, "examples/tour.py"]
    ended = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "rewards: [1.0, 0.0, 1.0, 1.0]" in ended.stdout
    assert re.search(r"paraphrase +\\frac\{8\}\{2\} +is 4 +and earns 1.0", ended.stdout)
    told = re.findall(r"^([\w-]+): accuracy (\S+) -> (\S+), reward at the end (\S+)$", ended.stdout, re.MULTILINE)
    figures = {method: tuple(map(float, numbers)) for method, *numbers in told}
    start, end, reward = figures["majority-voting"]
    assert end < start - 0.05, "majority voting did not fall"
    assert reward > end, "the reward does not show it"
    start, end, reward = figures["co-rewarding-i"]
    assert end > start - 0.1, "co-rewarding did not hold"
    replayed = re.findall(r"^\| \d+ \| ([a-z][\w-]+) \|", (tmp_path / "replay.md").read_text(), re.MULTILINE)
    assert len(replayed) == len(set(replayed)) == 10
