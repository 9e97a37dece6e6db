"""Fetch a framework whose own code is tested without its installation: a few packages in a folder, never committed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def fetched(name: str, *requirements: str) -> Path:
    """Return a folder with these packages alone, without what they require; skip the test where that cannot be."""
    folder = ROOT / "runs" / "frameworks" / name
    whole = folder / ".fetched"
    if whole.exists() and whole.read_text().split() == list(requirements):
        return folder
    words = ["install", "--quiet", "--pre", "--no-deps", "--upgrade", "--target", str(folder), *requirements]
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{name} cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
    whole.write_text(" ".join(requirements))
    return folder
