"""When a pair is taken for a bad one, and when it is released."""

from itertools import count, product

import pytest
from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import View, Voter
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.cohort import Ballot, ElectedLabel
from reward_service.domain.quarantine import (
    Base,
    DisagreementRules,
    PairRecord,
    disagreement,
    observed,
    weights,
    witnessed,
)
from reward_service.domain.settlement import settle

WATCH = DisagreementRules()
RATES = st.floats(0.0, 1.0)


def base_of(rate: float, seen: float = 1e6) -> Base:
    return Base(seen, rate * seen)


def label(view: View, answer: str, votes: int = 6, voted_on: tuple[View, ...] | None = None) -> ElectedLabel:
    other = View.PARAPHRASE if view is View.ORIGINAL else View.ORIGINAL
    return ElectedLabel(view, answer, answer, votes, 8, "policy", (other,) if voted_on is None else voted_on)


def ballots(view: View, answers: str) -> list[Ballot]:
    return [Ballot(view, Voter.POLICY, rollout, answer, answer) for rollout, answer in enumerate(answers)]


def disagreements_until_accused(rate: float) -> int:
    record = PairRecord()
    for number in count(1):
        record = observed(record, True, weights(base_of(rate), WATCH), WATCH)
        if record.quarantined:
            return number
    raise AssertionError


@pytest.mark.parametrize(("rate", "needed"), [(0.0, 2), (0.1, 3), (0.3, 4), (0.5, 8), (1.0, 27)])
def test_the_less_others_disagree_the_sooner_a_pair_is_accused(rate: float, needed: int) -> None:
    assert disagreements_until_accused(rate) == needed


@given(RATES, RATES)
def test_a_disagreement_never_counts_for_a_pair_nor_an_agreement_against_it(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert weights(base_of(low), WATCH).disagreement >= weights(base_of(high), WATCH).disagreement > 0
    assert weights(base_of(low), WATCH).agreement <= weights(base_of(high), WATCH).agreement < 0


@given(st.lists(st.booleans(), max_size=60), RATES)
def test_evidence_has_bounds_and_counts_what_was_seen(history: list[bool], rate: float) -> None:
    record = PairRecord()
    for disagrees in history:
        before = record
        record = observed(record, disagrees, weights(base_of(rate), WATCH), WATCH)
        assert 0.0 <= record.evidence <= WATCH.most
        assert record.quarantined or record.evidence < WATCH.accuse_at
        if record.quarantined and not before.quarantined:
            assert disagrees
        if before.quarantined and not record.quarantined:
            assert (disagrees, record.evidence) == (False, 0.0)
    assert (record.seen, record.disagreed) == (len(history), sum(history))


def test_a_pair_that_agrees_again_is_released_and_no_history_is_too_long_for_that() -> None:
    record, weight = PairRecord(), weights(base_of(0.1), WATCH)
    for _ in range(1000):
        record = observed(record, True, weight, WATCH)
    assert record.quarantined
    for _ in range(4):
        record = observed(record, False, weight, WATCH)
    assert not record.quarantined


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=200))
def test_those_under_suspicion_bear_no_witness(history: list[tuple[bool, bool]]) -> None:
    base, unsuspected = Base(), Base()
    for suspected, disagrees in history:
        record = PairRecord(9, 9, WATCH.accuse_at if suspected else 0.0, suspected)
        base = witnessed(base, record, disagrees, WATCH)
        if not suspected:
            unsuspected = witnessed(unsuspected, record, disagrees, WATCH)
    assert base == unsuspected
    assert WATCH.least_base <= base.rate(WATCH) <= WATCH.most_base
    assert 0.0 <= base.disagreed <= base.seen <= WATCH.horizon


@pytest.mark.parametrize("voted_on", ["each other", "themselves"])
def test_two_firm_labels_agree_or_disagree(voted_on: str) -> None:
    def labels(one: str, other: str, votes: int = 6) -> list[ElectedLabel]:
        own = voted_on == "themselves"
        return [
            label(view, answer, votes, (view,) if own else None)
            for view, answer in ((View.ORIGINAL, one), (View.PARAPHRASE, other))
        ]

    assert disagreement(labels("4", "5"), WATCH) is True
    assert disagreement(labels("4", "4")[::-1], WATCH) is False
    assert disagreement(labels("4", "5", votes=4), WATCH) is True
    assert disagreement(labels("4", "5", votes=3), WATCH) is None


def test_what_does_not_tell_the_views_apart_says_nothing() -> None:
    both = (View.ORIGINAL, View.PARAPHRASE)
    nothing = (
        [],
        [label(View.ORIGINAL, "4")],
        [label(View.ORIGINAL, "4", 8, both), label(View.PARAPHRASE, "4", 8, both)],
        [label(View.ORIGINAL, "4", 8, ()), label(View.PARAPHRASE, "4", 8, ())],
    )
    assert [disagreement(labels, WATCH) for labels in nothing] == [None] * 4


@given(st.text("45x", min_size=1, max_size=8), st.text("45x", min_size=1, max_size=8))
def test_apart_or_not_the_same_is_seen(original: str, paraphrase: str) -> None:
    """A pair in quarantine is watched as one outside is, else it could not be released."""
    cast = [*ballots(View.ORIGINAL, original), *ballots(View.PARAPHRASE, paraphrase)]
    across = METHODS["co-rewarding-i"]
    assert across.apart is not None
    seen = {disagreement(settle(row, cast).labels, WATCH) for row in (across, METHODS[across.apart])}
    assert len(seen) == 1


def test_only_methods_whose_views_vote_for_each_other_have_a_quarantine() -> None:
    for (name, row), quarantine in product(METHODS.items(), ("own-view", "abstain")):
        if row.apart is not None:
            assert RunSettings(method=name, quarantine=quarantine).quarantine == quarantine
            continue
        with pytest.raises(InvalidRunError, match=r"do not vote for each other.*choose co-rewarding-i"):
            RunSettings(method=name, quarantine=quarantine)
    with pytest.raises(InvalidRunError, match="choose from off, own-view, abstain"):
        RunSettings(quarantine="perhaps")
