"""The table of docs/methods.md has the rows of the method table."""

import re
from pathlib import Path

from co_rewarding_schema.methods import METHODS, Electorate
from co_rewarding_schema.vocabulary import View, Voter

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"
VIEWS = {(View.ORIGINAL,): "the original", (View.PARAPHRASE,): "the paraphrase", tuple(View): "both views"}


def told(electorate: Electorate) -> str:
    """An electorate as the page tells it."""
    return f"{'teacher' if electorate.voter is Voter.TEACHER else 'policy'} on {VIEWS[electorate.views]}"


def test_the_page_has_each_method_and_who_elects_its_labels() -> None:
    table = PAGE.read_text().partition("## ")[0]
    rows = {
        name: (one, other)
        for name, one, other in re.findall(r"^\| `([\w-]+)` \| ([^|]+) \| ?([^|]*?) ?\|", table, re.MULTILINE)
    }
    assert list(rows) == list(METHODS)
    for name, method in METHODS.items():
        if method.electorates:
            original, paraphrase = rows[name]
            assert original == told(method.electorates[View.ORIGINAL])
            expected = told(method.electorates[View.PARAPHRASE])
            assert paraphrase in {expected, "the same" if original == expected else expected}
