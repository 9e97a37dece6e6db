"""Pages are wrapped at 120 columns; tables, code and pictures may be longer."""

import re
from pathlib import Path

import pytest

from tests.architecture.page import REPOSITORY

MOST_COLUMNS = 120
PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def prose(page: str) -> list[str]:
    """The lines of a page that are neither a table's nor code nor a picture."""
    return [line for line in FENCE.sub("", page).splitlines() if not line.startswith(("|", "    ", "!["))]


def test_there_are_pages() -> None:
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "architecture.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_is_wrapped(page: Path) -> None:
    assert [line for line in prose(page.read_text()) if len(line) > MOST_COLUMNS] == []


def test_only_prose_is_wrapped() -> None:
    long = "x" * (MOST_COLUMNS + 1)
    assert prose(f"{long}\n| {long} |\n    {long}\n```\n{long}\n```\n") == [long, ""]
