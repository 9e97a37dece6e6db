"""What docs/answers.md says of formats is what extraction does: their order, the reasons, and who wins."""

import re
from pathlib import Path

import pytest

from reward_service.domain.extraction import FORMATS, extractor

PAGE = (Path(__file__).parents[2] / "docs/answers.md").read_text()
SECTION = PAGE.partition("### Which format wins")[2].partition("\n### ")[0]
ORDER = re.findall(r"^\| (\d+) \| `([a-z-]+)` \| (.+) \|$", SECTION, re.MULTILINE)
WINNERS = re.findall(r"^\| `([^|]+)` \| (?:`([^`|]+)`|none) \| (?:`([a-z-]+)`)? ?\|$", SECTION, re.MULTILINE)


def test_the_page_has_the_order_and_the_reasons_of_the_table() -> None:
    told = [(str(place), name.value, row.why) for place, (name, row) in enumerate(FORMATS.items(), 1)]
    assert told == ORDER


def test_each_format_is_told_what_it_reads() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \| .+ → ", PAGE.partition("\n### ")[0], re.MULTILINE)
    assert sorted(told) == sorted(FORMATS)


@pytest.mark.parametrize(("response", "answer", "name"), WINNERS)
def test_the_format_wins_that_the_page_names(response: str, answer: str, name: str) -> None:
    assert extractor(tuple(FORMATS))(response) == (answer or None)
    if name:
        assert extractor([name])(response) == answer
    before = list(FORMATS)[: list(FORMATS).index(name)] if name else list(FORMATS)
    assert all(extractor([each])(response) is None for each in before)


def test_the_table_of_winners_names_most_formats() -> None:
    assert len(WINNERS) >= 10
    assert {name for _, _, name in WINNERS} >= {"", "boxed", "answer-tag", "hashes", "final-answer", "answer-line"}
