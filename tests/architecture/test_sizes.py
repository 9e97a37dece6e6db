"""A module is read in one sitting: 300 lines at most. No file of the repository is overlooked."""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("reward_service", "clients", "trainer")
MOST_LINES = 300
LARGER: dict[str, int] = {}
"""Modules that are larger, and how large; the numbers only fall."""


def test_no_module_is_larger_than_it_may_be() -> None:
    lines = {
        path.relative_to(REPOSITORY).as_posix(): len(path.read_text().splitlines())
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*.py")
    }
    assert {name: count for name, count in lines.items() if count > LARGER.get(name, MOST_LINES)} == {}
    assert {name for name, most in LARGER.items() if lines[name] <= MOST_LINES} == set()


def test_no_file_of_the_repository_is_ignored() -> None:
    """A wheel is built without what git ignores, and ruff does not look at it: a folder `runs` of ours was both."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no checkout of the repository")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout == ""
