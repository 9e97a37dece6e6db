"""Kinds of answers beside near misses, by example; and the shared pairs of the kinds, where they are there."""

import pytest
from co_rewarding_schema.vocabulary import Conventions

from benchmarks.grading_kinds import KINDS, kind_pairs
from reward_service.domain.answers.comparing import Proof
from tests.domain.answer_kinds import DIFFERENT, SAME, pairs
from tests.domain.answer_proofs import groups, proof

needs_kinds = pytest.mark.skipif(not KINDS.is_file(), reason=f"the pairs of kinds are not there: {KINDS}")


@pytest.mark.parametrize(("one", "other"), [*pairs(SAME)])
def test_these_are_one_to_a_lenient_reader(one: str, other: str) -> None:
    assert proof(one, other, Conventions.LENIENT) is Proof.SAME
    assert groups([one, other], Conventions.LENIENT) == 1


@pytest.mark.parametrize("conventions", Conventions)
@pytest.mark.parametrize(("one", "other"), [*pairs(DIFFERENT)])
def test_near_misses_stay_two(one: str, other: str, conventions: Conventions) -> None:
    assert proof(one, other, conventions) is not Proof.SAME
    assert groups([one, other], conventions) == 2


@needs_kinds
@pytest.mark.parametrize("conventions", Conventions)
def test_no_pair_of_a_kind_is_falsely_the_same(conventions: Conventions) -> None:
    assert not [
        (pair.one, pair.other)
        for pair in kind_pairs()
        if not pair.equal and proof(pair.one, pair.other, conventions) is Proof.SAME
    ]


@needs_kinds
def test_most_equal_pairs_of_the_kinds_are_the_same_without_a_judge() -> None:
    equal = [pair for pair in kind_pairs() if pair.equal]
    missed = [pair for pair in equal if proof(pair.one, pair.other, Conventions.LENIENT) is not Proof.SAME]
    assert len(equal) > 100
    assert len(missed) <= 0.03 * len(equal)
