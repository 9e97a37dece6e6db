"""Planted faults: what the cheap checks must catch, on made pairs and on published ones."""

import pytest

from benchmarks.paraphrase_faults import WANTED, outcome_of, sampled
from benchmarks.paraphrase_pairs import MATH, SHARED, made_pairs
from benchmarks.paraphrase_planting import FAULTS
from reward_service.domain.paraphrases.pairs import pair_of
from reward_service.domain.paraphrases.policy import AcceptancePolicy, review

PUBLISHED = SHARED / MATH
PUBLISHED_WANTED = WANTED | {"number": 0.88, "foreign": 0.88}
"""Less where the checks keep to numbers that are surely replaced, so as not to reject good pairs."""


@pytest.mark.parametrize("fault", WANTED)
def test_of_made_pairs_the_wanted_share_is_caught(fault):
    outcome = outcome_of(fault, FAULTS[fault], made_pairs(120, 5), seed=5)

    assert outcome.planted >= 100
    assert outcome.share >= WANTED[fault], outcome


def test_made_pairs_are_accepted_as_long_as_nothing_is_planted():
    for pair in made_pairs(60, 6):
        reviewed = review(pair_of(pair.question, pair.paraphrase, pair.answer), AcceptancePolicy())
        assert reviewed.accepted, (pair, reviewed.reasons)


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published pairs are not beside the project")
@pytest.mark.parametrize("fault", WANTED)
def test_of_published_pairs_the_wanted_share_is_caught(fault):
    outcome = outcome_of(fault, FAULTS[fault], sampled(PUBLISHED, 200, 11), seed=11)

    assert outcome.share >= PUBLISHED_WANTED[fault], outcome
