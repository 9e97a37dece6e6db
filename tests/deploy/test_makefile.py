"""`make` tells what each target is for, and what is installed before pip is silent."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
RULES = re.findall(r"^([^#\s:=][^:=\n]*):[^=\n]*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
INSTALLS = re.compile(r"\$\((PIP|LOCKED)\) |scripts/(make-venv|install-\w+)|call install_locked")
UNTOLD = {"help", "clean", "e2e-openrlhf-client"}


def test_the_help_names_every_target() -> None:
    told = subprocess.run(["make", "help"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert max(map(len, told.splitlines())) <= 80
    named = set(re.findall(r"[\w-]+", told))
    (phony,) = re.findall(r"^\.PHONY: (help .*)$", MAKEFILE, re.MULTILINE)
    targets = set(phony.split())
    assert targets - named == UNTOLD


@pytest.mark.parametrize("recipe", [recipe for _, recipe in RULES if INSTALLS.search(recipe)])
def test_what_is_installed_is_told_before(recipe: str) -> None:
    first = recipe.splitlines()[0].strip()
    assert first.startswith(("@echo", "$(call install_locked")), first


def test_each_part_of_an_installation_is_told() -> None:
    (body,) = re.findall(r"^define install_locked\n(.*?)^endef", MAKEFILE, re.MULTILINE | re.DOTALL)
    lines = body.splitlines()
    for at, line in enumerate(lines):
        if INSTALLS.search(line):
            assert lines[at - 1].startswith("\t@echo"), line
