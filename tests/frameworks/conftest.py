"""Start a service for the adapters, and run programs in the environment of a framework."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from reward_service.processes import raise_open_files_limit
from reward_service.serving.supervisor import Supervisor
from tests.support.service import running

ROOT = Path(__file__).parents[2]

Program = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def service_url() -> Iterator[str]:
    """The address of a service that has no teacher."""
    raise_open_files_limit()
    with running() as supervisor:
        yield supervisor.url


@pytest.fixture(scope="module")
def school() -> Iterator[tuple[Supervisor, Path]]:
    """A service with a teacher, and its weights root."""
    from trl_tiny import save_tiny  # loads torch, which few of these tests need

    folder = Path(tempfile.mkdtemp(prefix="cr-"))
    (folder / "weights").mkdir()
    save_tiny(folder / "teacher")
    teaching = {
        "weights_root": folder / "weights",
        "teacher_dir": folder / "averages",
        "teacher": str(folder / "teacher"),
        "teacher_backend": "transformers",
        "teacher_dtype": "float32",
    }
    try:
        with running(**teaching) as supervisor:
            yield supervisor, folder / "weights"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def run() -> str:
    """The name of a run that no other test has used."""
    return f"run-{uuid4().hex[:12]}"


def framework_python(framework: str) -> Path:
    """The interpreter of the framework's environment; skips the test, with a word, where there is none.

    VENV_<FRAMEWORK> names an environment elsewhere.
    """
    folder = os.environ.get(f"VENV_{framework.upper()}", str(ROOT / f".venv-{framework}"))
    python = Path(folder).absolute() / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{framework} is not installed: make e2e-{framework}")
    return python


@pytest.fixture(scope="session")
def program() -> Program:
    """Run a program beside these tests by a framework's interpreter, and return the JSON lines that it prints."""

    def started(
        framework: str, name: str, *words: str, timeout_s: float = 300.0, **variables: str
    ) -> list[dict[str, Any]]:
        command = [str(framework_python(framework)), str(ROOT / "tests" / "frameworks" / name), *words]
        paths = os.pathsep.join(map(str, (ROOT, ROOT / "clients", ROOT / "tests" / "frameworks")))
        environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"} | variables
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False)
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    return started
