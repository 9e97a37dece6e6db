"""What the images install agrees with what the package asks for."""

import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
GPU = ROOT / "deploy" / "requirements-gpu.txt"


def requirements(lines: str) -> list[Requirement]:
    return [Requirement(line) for line in lines.splitlines() if line and not line.startswith("#")]


def of_extra(extra: str) -> dict[str, Requirement]:
    command = [sys.executable, ROOT / "deploy" / "requirements", extra, ROOT / "pyproject.toml"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {each.name: each for each in requirements(told)}


def test_what_is_pinned_for_gpus_is_what_the_package_allows() -> None:
    asked = of_extra("vllm") | {"transformers": of_extra("local")["transformers"]}
    pinned = {each.name: str(each.specifier).removeprefix("==") for each in requirements(GPU.read_text())}
    both = asked.keys() & pinned.keys()
    assert {"vllm", "transformers"} <= both
    for name in both:
        assert asked[name].specifier.contains(pinned[name]), f"{name} {pinned[name]} is not {asked[name]}"


@pytest.mark.parametrize(("extra", "heavy"), [("server", False), ("local", True)])
def test_the_service_is_installed_without_torch(extra: str, heavy: bool) -> None:
    assert ("torch" in of_extra(extra)) is heavy
