"""The files and folders that the pages name exist."""

import re
from pathlib import Path

import pytest

from tests.architecture.page import REPOSITORY

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")
SUFFIXES = (".py", ".lua", ".md", ".toml")
MADE = "runs/"
"""Commands write what is below this folder."""


def named_paths(page: str) -> set[str]:
    """The paths in back-ticks that end like a file of the repository, or begin with one of its folders."""
    folders = {each.name for each in REPOSITORY.iterdir() if each.is_dir()}
    found = {each for each in PATH.findall(page) if not each.startswith(MADE)}
    return {each for each in found if each.endswith(SUFFIXES) or each.partition("/")[0] in folders}


def missing_paths(page: str) -> set[str]:
    """The paths of a page that are neither below the root nor below `reward_service`."""
    roots = (REPOSITORY, REPOSITORY / "reward_service")
    return {each for each in named_paths(page) if not any((root / each).exists() for root in roots)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_path_of_a_page_exists(page: Path) -> None:
    assert missing_paths(page.read_text()) == set()


def test_many_paths_are_looked_at() -> None:
    assert len({each for page in PAGES for each in named_paths(page.read_text())}) >= 40


def test_a_path_that_is_gone_is_found() -> None:
    page = "`store/lua/place.lua` `tests/domain` `api/gone.py` `tests/gone` `runs/report.md` `text/plain` `read.py`"
    assert named_paths(page) == {"store/lua/place.lua", "tests/domain", "api/gone.py", "tests/gone"}
    assert missing_paths(page) == {"api/gone.py", "tests/gone"}
