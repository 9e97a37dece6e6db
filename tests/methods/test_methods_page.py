"""The table of docs/methods.md has the rows of the method table."""

import re
from pathlib import Path

from co_rewarding_schema.method_rules import LabelRule, ViewRule, Weight
from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.vocabulary import View

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"
VIEWS = {(View.ORIGINAL,): "the original", (View.PARAPHRASE,): "the paraphrase", tuple(View): "both views"}


RULES = {LabelRule.PLURALITY: "", LabelRule.HARMONIC: ", by harmonic mean"}
WEIGHTS = {Weight.ONE: "", Weight.VERIFIED: ", weighed by `verified`", Weight.CONFIDENCE: ", weighed by `confidence`"}
VOTERS = {"policy": "policy", "teacher": "teacher", "peer": "peers"}


def told(rule: ViewRule) -> str:
    """The election of a rule as the page tells it."""
    return f"{VOTERS[rule.electorate]} on {VIEWS[rule.views]}{RULES[rule.label]}{WEIGHTS[rule.weight]}"


def test_the_page_has_each_method_and_who_elects_its_labels() -> None:
    table = PAGE.read_text().partition("## ")[0]
    rows = {
        name: (one, other)
        for name, one, other in re.findall(r"^\| `([\w-]+)` \| ([^|]+) \| ?([^|]*?) ?\|", table, re.MULTILINE)
    }
    assert list(rows) == list(METHODS)
    for name, method in METHODS.items():
        if method.voters:
            original, paraphrase = rows[name]
            assert original == told(method.rules[View.ORIGINAL])
            expected = told(method.rules[View.PARAPHRASE])
            assert paraphrase in {expected, "the same" if original == expected else expected}
