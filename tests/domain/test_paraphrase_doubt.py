"""The doubt of a pair: between 0 and 1, more with each objection and with what lacks support."""

import math
from itertools import pairwise

import pytest

from reward_service.domain.paraphrases.doubt import LACKING, PRIOR, WEIGHTS, doubt_of
from reward_service.domain.paraphrases.pairs import pair_of
from reward_service.domain.paraphrases.policy import CHECKS, AcceptancePolicy, review

QUESTION = (
    "A box holds 12 red cards and 15 blue cards. Before the draw, two red cards are taken out and kept by the dealer. "
    "How many ways are there to draw 4 cards of the same color?"
)
GOOD = (
    "A bag has 12 red tiles and 15 blue tiles. First the owner takes two red tiles out and keeps them. How many ways "
    "are there to draw 4 tiles of one color?"
)
SHORTER = "A bag has 12 red tiles and 15 blue tiles. In how many ways can 4 tiles of one color be drawn?"
CHANGED = GOOD.replace("15", "16")


def doubt(paraphrase):
    return review(pair_of(QUESTION, paraphrase), AcceptancePolicy()).doubt


def test_every_check_has_a_weight_and_the_lack_covers_every_value():
    assert WEIGHTS.keys() == CHECKS.keys()
    assert LACKING[-1][0] == math.inf
    assert all(one[0] < other[0] and one[1] <= other[1] for one, other in pairwise(LACKING))


@pytest.mark.parametrize("name", [name for name, weight in WEIGHTS.items() if weight > 0])
def test_an_objection_raises_the_doubt_above_silence(name):
    assert 0 < doubt_of((), 0.0) < PRIOR < doubt_of((name,), 20.0) < 1


def test_what_is_left_out_and_what_is_changed_is_more_doubtful():
    assert doubt(GOOD) < 0.1 < doubt(SHORTER)
    assert doubt(CHANGED) > 0.5


def test_a_run_chooses_the_doubt_that_it_accepts():
    pair = pair_of(QUESTION, SHORTER)
    tolerant, strict = AcceptancePolicy(most_doubt=1.0), AcceptancePolicy(most_doubt=0.05)

    assert review(pair, tolerant).accepted
    assert not review(pair, strict).accepted
    assert review(pair_of(QUESTION, GOOD), AcceptancePolicy(most_doubt=0.1)).accepted
