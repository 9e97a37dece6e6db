"""Each method's labels and rewards are those of the specification, which counts by itself: tests/contract."""

from random import Random

import pytest
from co_rewarding_schema.methods import METHODS, method_named

from reward_service.domain.settlement import settle
from tests.contract.election_model import ALL_METHODS
from tests.contract.election_model import settle as specified
from tests.methods.drawn_cohorts import (
    LETTER_OF,
    Shape,
    ballots_of,
    draw_cohort,
    draw_earlier,
    draw_needs,
    instability_of,
    parameters_of,
)

COHORTS = 400


def test_every_method_is_specified() -> None:
    assert {*ALL_METHODS} == {*METHODS}, "name the electorates of the new row in tests/contract/election_model.py"


@pytest.mark.parametrize("name", sorted({*ALL_METHODS} - {"random"}))
def test_drawn_cohorts_settle_as_the_specification_says(name: str) -> None:
    rng = Random(f"cohorts of {name}")
    reasons: set[str | None] = set()
    earned: set[float | None] = set()
    for number in range(COHORTS):
        needs = draw_needs(rng)._replace(earlier=draw_earlier(rng))
        votes = draw_cohort(rng, name, "q", needs, Shape()).votes
        if rng.random() < 0.2:
            votes = [vote._replace(rollout=None) for vote in votes]
        if rng.random() < 0.2:
            votes = [vote._replace(counted=rng.random() < 0.8) for vote in votes]
        expired = rng.random() < 0.3
        expected = specified(name, votes, needs, expired=expired)
        settled = settle(
            method_named(name),
            ballots_of(votes),
            parameters_of(needs),
            expired=expired,
            instability_of=instability_of(needs, {view: label.answer for view, label in expected.labels.items()}),
        )
        labels = {LETTER_OF[label.view]: (label.answer, label.votes, label.of) for label in settled.labels}
        assert labels == expected.labels, (number, votes, needs)
        assert settled.rewards_B == pytest.approx(expected.rewards, abs=1e-12), (number, votes, needs)
        assert list(settled.abstentions_B) == expected.reasons, (number, votes, needs)
        reasons |= {*expected.reasons}
        earned |= {*expected.rewards}
    assert len(earned) > 1, "the draws are one-sided"
    assert (len(reasons) > 1) == (name != "format"), "the draws never abstain, or always"
