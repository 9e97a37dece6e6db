"""What docs/answers.md says of the judge is what it does, and each of its reasons is told."""

import re
from pathlib import Path

import pytest

from reward_service.grading.comparing import compare

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/answers.md").read_text().partition("### What the judge decides")[2].partition("\n### ")[0]
PAIRS = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (\w+) \| `(\w+)` \|$", PAGE, re.MULTILINE)
SAID = re.compile(r'UnfitError\("(\w+)"\)|UNDECIDED\)?, (?:[\w.]+, )?"(\w+)"')
PASSED_ON = {"elsewhere"}
"""Reasons within the judge that it gives to nobody."""


def test_there_are_pairs_of_each_verdict() -> None:
    assert {verdict for _, _, verdict, _ in PAIRS} == {"same", "different", "undecided"}


@pytest.mark.parametrize(("one", "other", "verdict", "reason"), PAIRS)
def test_a_pair_is_decided_as_the_page_says(one: str, other: str, verdict: str, reason: str) -> None:
    assert compare(one, other) == compare(other, one) == (verdict, reason)


def test_each_reason_for_undecided_is_told() -> None:
    sources = [path.read_text() for path in (REPOSITORY / "reward_service/grading").glob("*.py")]
    given = {word for source in sources for found in SAID.findall(source) for word in found if word}
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ", PAGE, re.MULTILINE)
    told = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    assert len(given) > 20
    assert given - PASSED_ON <= told
