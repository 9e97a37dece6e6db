"""The laws of elections."""

from collections import Counter

from co_rewarding_schema.methods import method_named
from co_rewarding_schema.vocabulary import View
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.cohort import Ballot
from reward_service.domain.elections import MethodParameters, Winner, elect, label_of
from tests.domain.ballots import ballot, groups


@given(groups(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_decides_nothing(ballots: list[Ballot], random: object) -> None:
    shuffled = list(ballots)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert elect(shuffled) == elect(ballots)


@given(groups())
def test_the_winner_has_the_most_votes(ballots: list[Ballot]) -> None:
    counts = Counter(b.answer_class for b in ballots if b.answer_class is not None)
    winner = elect(ballots)
    if not counts:
        assert winner is None
        return
    assert winner is not None
    assert winner.votes == counts[winner.answer_class] == max(counts.values())
    assert winner.of == len(ballots)


@given(groups(indexed=True), st.permutations(["1", "2", "3", "x"]))
def test_relabelling_answers_relabels_the_winner(ballots: list[Ballot], names: list[str]) -> None:
    renamed = dict(zip(["1", "2", "3", "x"], names, strict=True)) | {None: None}
    other = [b._replace(answer=renamed[b.answer], answer_class=renamed[b.answer_class]) for b in ballots]
    winner, expected = elect(other), elect(ballots)
    assert (winner and winner.answer_class) == (expected and renamed[expected.answer_class])


@given(groups(indexed=True).filter(bool))
def test_a_tie_goes_to_the_class_that_was_first(ballots: list[Ballot]) -> None:
    winner = elect(ballots)
    counts = Counter(b.answer_class for b in ballots if b.answer_class is not None)
    if winner is None:
        return
    tied = [key for key, count in counts.items() if count == winner.votes]
    first = min((b.rollout, b.answer_class) for b in ballots if b.answer_class in tied)
    assert winner.answer_class == first[1]


@given(groups(indexed=False))
def test_without_indices_a_tie_goes_to_the_smallest_key(ballots: list[Ballot]) -> None:
    winner = elect(ballots)
    counts = Counter(b.answer_class for b in ballots if b.answer_class is not None)
    if winner is not None:
        assert winner.answer_class == min(key for key, count in counts.items() if count == winner.votes)


@given(groups(), st.integers(1, 5))
def test_empty_answers_do_not_vote(ballots: list[Ballot], blanks: int) -> None:
    winner = elect(ballots)
    with_blanks = elect([*ballots, *(ballot(View.ORIGINAL, 100 + n, None) for n in range(blanks))])
    if winner is None:
        assert with_blanks is None
    else:
        assert with_blanks == winner._replace(of=winner.of + blanks)


def test_the_representative_is_the_first_of_its_class() -> None:
    ballots = [ballot(View.ORIGINAL, n, text)._replace(answer_class="1/2") for n, text in [(2, "0.5"), (1, "1/2")]]
    winner = elect(ballots)
    assert winner is not None
    assert winner.answer == "1/2"


def test_where_two_views_vote_together_the_original_comes_first() -> None:
    winner = elect([ballot(View.PARAPHRASE, 0, "1"), ballot(View.ORIGINAL, 0, "2")])
    assert winner is not None
    assert winner.answer == "2"


def test_the_winner_speaks_as_its_ballots_do() -> None:
    winner = elect([ballot(View.ORIGINAL, n, "4") for n in range(3)])
    assert winner == Winner("4", "4", 3, 3)


def test_a_ballot_with_an_index_comes_before_those_without() -> None:
    ballots = [ballot(View.ORIGINAL, None, "1"), ballot(View.ORIGINAL, 5, "2")]
    winner = elect(ballots)
    assert winner is not None
    assert winner.answer == "2"


def test_without_indices_the_key_decides_before_the_text() -> None:
    ballots = [ballot(View.ORIGINAL, None, text)._replace(answer_class=key) for text, key in [("1", "b"), ("2", "a")]]
    winner = elect(ballots)
    assert winner is not None
    assert winner.answer == "2"


def test_an_answer_without_a_class_does_not_vote() -> None:
    unread = ballot(View.ORIGINAL, 0, "4")._replace(answer_class=None)
    unsaid = ballot(View.ORIGINAL, 1, None)._replace(answer_class="4")
    assert elect([unread, unsaid]) is None


def test_a_label_needs_ballots_and_not_weight() -> None:
    rule = method_named("confident-majority").rules[View.ORIGINAL]
    ballots = [ballot(View.ORIGINAL, n, "4")._replace(confidence=0.125) for n in range(2)]
    unsaid = ballot(View.ORIGINAL, 2, None)._replace(answer_class="4", confidence=0.125)
    assert label_of(rule, [*ballots, unsaid], MethodParameters(min_votes=2)) == Winner("4", "4", 0.25, 0.375)
    assert label_of(rule, [*ballots, unsaid], MethodParameters(min_votes=3)) is None
    weightless = [each._replace(confidence=0.0) for each in ballots]
    assert label_of(rule, weightless, MethodParameters()) is None
