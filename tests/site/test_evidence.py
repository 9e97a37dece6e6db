"""Figures that a page repeats are those of the page where they are measured."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| (.*`[^|]*) \| \[[^\]]+\]\(([\w.]+)[^)]*\) \|$", re.MULTILINE)
NUMBER = re.compile(r"(?<![\w-])\d[\d,.]*(?<![,.])")

CLAIMS = ROW.findall((DOCS / "evidence.md").read_text())
INSTEAD = (REPOSITORY / "README.md").read_text().partition("## What you might use instead")[2].partition("\n## ")[0]
INSTEAD_ROWS = re.findall(r"^\| [^|]+ \| ([^|]+) \| `([^`]+)` \|$", INSTEAD, re.MULTILINE)
MEASURED = {"make bench": "performance.md", "make bench-grading": "performance.md"}


def numbers(text: str) -> set[str]:
    """The numbers of a text, also those at the ends of a range."""
    return set(NUMBER.findall(re.sub(r"(?<=\d)-(?=\d)", " ", text)))


def test_there_are_claims() -> None:
    assert len(CLAIMS) >= 12
    assert len(INSTEAD_ROWS) == 4


@pytest.mark.parametrize(("claim", "figure", "command", "page"), CLAIMS)
def test_a_claim_has_the_figures_of_its_page(claim: str, figure: str, command: str, page: str) -> None:
    assert numbers(figure) <= numbers((DOCS / page).read_text()), claim
    assert command.strip("`")


@pytest.mark.parametrize(("measured", "command"), INSTEAD_ROWS)
def test_the_readme_compares_by_measured_figures(measured: str, command: str) -> None:
    page = (DOCS / MEASURED.get(command, "integrations.md")).read_text()
    assert numbers(measured)
    assert numbers(measured) <= numbers(page), command


def test_a_wrong_figure_is_found() -> None:
    assert numbers("accuracy 0.58 → 0.22, 1,098 ms, co-rewarding-2, and 7.") == {"0.58", "0.22", "1,098", "7"}
    assert not {"0.23"} <= numbers((DOCS / "demo.md").read_text().partition("\n## ")[0])
