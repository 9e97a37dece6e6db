"""What a model needs installed is looked for before a service starts anything."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from reward_service.serving.children import AVERAGING, LOADING
from tests.commands.calling import REPOSITORY

EXTRAS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
LOCAL = {re.split(r"[>=\[]", each)[0] for each in EXTRAS["local"]} - {"co-rewarding"}


def without(package: str, program: str, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Our code where a package is missing."""
    script = f"import sys; sys.modules[{package!r}] = None; {program}"
    return subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=False, cwd=folder, timeout=60
    )


@pytest.mark.parametrize(
    ("role", "model", "package"),
    [
        *(("teacher", "a-folder", package) for package in sorted({*AVERAGING, *LOADING})),
        *(("teacher", "openai:http://127.0.0.1:9/v1#m", package) for package in AVERAGING),
        ("teacher", "vllm-server:http://127.0.0.1:9/v1#m", "safetensors"),
        ("paraphraser", "vllm-server:http://127.0.0.1:9/v1#m", "safetensors"),
        *(("paraphraser", "a-folder", package) for package in LOADING),
    ],
)
def test_a_service_says_what_its_model_needs_and_starts_nothing(
    tmp_path: Path, role: str, model: str, package: str
) -> None:
    program = "from reward_service.__main__ import main; main()"
    done = without(package, program, "serve", "--port", "0", f"--{role}", model, folder=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"a {role} needs {package}, which the extra 'local' installs" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", sorted(LOCAL - {*AVERAGING, *LOADING}))
def test_what_is_not_looked_for_is_not_imported(tmp_path: Path, package: str) -> None:
    program = "import reward_service.teaching.process, reward_service.generation.transformers_backend"
    assert without(package, program, folder=tmp_path).returncode == 0


@pytest.mark.parametrize("package", sorted({*LOADING} - {*AVERAGING}))
def test_a_teacher_at_a_url_needs_no_more_than_is_looked_for(tmp_path: Path, package: str) -> None:
    done = without(package, "import reward_service.teaching.process", folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_paraphraser_at_a_url_needs_none_of_them(tmp_path: Path) -> None:
    for package in (*AVERAGING, *LOADING):
        done = without(package, "import reward_service.paraphrasing.paraphraser", folder=tmp_path)
        assert done.returncode == 0, done.stderr
