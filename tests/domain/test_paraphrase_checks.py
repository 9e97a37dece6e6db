"""Checks of paraphrases: a fair one passes, and each fault is found by the check that is there for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.paraphrases.findings import Pair
from reward_service.domain.paraphrases.policy import Policy, review
from reward_service.domain.paraphrases.reading import read_text

ORIGINAL = (
    "A train travels 120 miles in 3 hours at a constant speed. How many miles does it travel in 5 hours, if it does "
    "not stop on the way?"
)
FAIR = (
    "Moving at a steady speed, a train covers 120 miles in three hours. If it does not stop, what distance in miles "
    "does it cover in 5 hours?"
)
FAULTS = {
    "copy": ORIGINAL,
    "numbers": FAIR.replace("120", "150"),
    "units": FAIR.replace("miles", "kilometers"),
    "negation": FAIR.replace("does not stop", "stops"),
    "leak": FAIR + " The answer is 200.",
    "truncated": FAIR[: FAIR.index(", what") + 20],
    "foreign": "Let $f(x) = x^2 + 7x - 11$. Find the sum of all real roots of the equation $f(f(x)) = 0$.",
}


def objections(paraphrase: str) -> list[str]:
    return [each.check for each in review(Pair(read_text(ORIGINAL), read_text(paraphrase), "200"), Policy()).objections]


def test_a_fair_paraphrase_is_accepted() -> None:
    assert objections(FAIR) == []


@pytest.mark.parametrize("check", FAULTS)
def test_a_fault_is_found_by_its_check(check: str) -> None:
    assert check in objections(FAULTS[check])


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_text_is_too_strange(original: str, paraphrase: str) -> None:
    found = review(Pair(read_text(original), read_text(paraphrase)), Policy())
    assert found.accepted == (not found.objections)
