"""Fetch a framework whose own code is tested without its installation: a few packages in a folder, never committed."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

REQUIREMENTS: Mapping[str, tuple[str, ...]] = {
    "areal": (
        "areal==1.0.4", "aiofiles==25.1.0", "colorlog==6.12.0", "einops==0.8.2", "hydra-core==1.4.0.dev1",
        "lark==1.3.1", "omegaconf==2.4.0.dev2", "orjson==3.13.0", "pillow==13.0.0", "pybase64==1.5.1", "pyzmq==27.3.0",
        "setproctitle==1.3.8", "tenacity==9.2.1", "torchdata==0.11.0",
    ),
    "skyrl": (
        "skyrl==0.3.0", "loguru==0.7.3", "torchdata==0.11.0", "omegaconf==2.4.0.dev2", "hydra-core==1.4.0.dev1",
    ),
}  # fmt: skip
"""The packages of each framework, with what its code imports."""


def fetched(name: str) -> Path:
    """Return a folder with a framework's packages alone; skip the test where that cannot be."""
    requirements = REQUIREMENTS[name]
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
