"""Lines and sums, with the domain's rules in the place of a service."""

from dataclasses import replace
from fractions import Fraction

import pytest
from co_rewarding_client import InvalidRequest, Unauthorized
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from reward_service.domain.extraction import last_boxed
from reward_service.tools.replay.batches import Batch, batches, numbered, take_census
from reward_service.tools.replay.errors import ScoringError
from reward_service.tools.replay.fields import Layout
from reward_service.tools.replay.report import notes
from reward_service.tools.replay.rewarding import lines, score, why_no_answer
from reward_service.tools.replay.rollout_files import FileRollout
from reward_service.tools.replay.tally import ScoreTally, Totals
from tests.support.answers import key_of
from tests.support.rollout_files import Rules, boxed, place

LAYOUT = Layout(question="qid", response="response")


def group(question: str, view: str, answers: str, truth: str | None = None, row: int = 1) -> list[FileRollout]:
    """A rollout for each character: a digit is its answer, '-' is none."""
    return [
        FileRollout(row=row, question_id=question, view=view, ground_truth=truth, response="" if a == "-" else boxed(a))  # type: ignore[arg-type]
        for a in answers
    ]


def batch(*groups: list[FileRollout]) -> Batch:
    by_question: dict[str, list[FileRollout]] = {}
    for rollout in (r for g in groups for r in g):
        by_question.setdefault(rollout.question_id, []).append(rollout)
    return Batch(None, tuple(r for question in by_question.values() for r in numbered(question, place)))


def totals(file: list[FileRollout], method: str, most: int) -> Totals:
    tally = ScoreTally()
    for part in batches(file, take_census(file), most, place):
        tally.add(score(part, Rules(), method, place))
    return tally.totals()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4))
def test_the_mean_reward_of_a_file_is_a_number_also_where_the_sum_is_none(rewards: list[float]):
    scored = score(
        batch(group("q", "original", "44"), group("q", "paraphrase", "44")), Rules(), "co-rewarding-i", place
    )
    given_B = [*rewards, *[None] * (4 - len(rewards))]
    tally = ScoreTally()
    tally.add(replace(scored, rewards=structs.replace(scored.rewards, rewards=given_B)))
    assert tally.totals().reward_mean == float(sum(map(Fraction, rewards)) / len(rewards))


def test_a_line_for_each_rollout_with_the_label_of_its_view():
    scored = score(
        batch(group("q", "original", "44-"), group("q", "paraphrase", "5")), Rules(), "co-rewarding-i", place
    )

    made = list(lines(scored))

    assert made[0] == {
        "row": 1,
        "question_id": "q",
        "step": None,
        "view": "original",
        "rollout": 0,
        "answer": "4",
        "why": None,
        "reward": 0.0,
        "abstention": None,
        "label": {"answer": "5", "votes": 1, "of": 1, "voter": "policy"},
    }
    assert (made[2]["answer"], made[2]["why"], made[2]["reward"]) == (None, "empty response", 0.0)
    assert made[3]["label"] == {"answer": "4", "votes": 2, "of": 3, "voter": "policy"}


def test_a_group_that_abstains_says_why_and_has_no_label():
    (line,) = lines(score(batch(group("q", "original", "4")), Rules(), "co-rewarding-i", place))

    assert (line["reward"], line["abstention"], line["label"]) == (None, "no-label", None)


@pytest.mark.parametrize(
    ("response", "plain", "why"),
    [
        ("", False, "empty response"),
        ("", True, "no answer given"),
        ("it is 4", False, "no \\boxed{}"),
        ("\\boxed{4", False, "no complete \\boxed{} that holds 1 to 4096 characters"),
        ("\\boxed{ }", False, "no complete \\boxed{} that holds 1 to 4096 characters"),
    ],
)
def test_why_there_is_no_answer(response, plain, why):
    assert last_boxed(response) is None
    assert why_no_answer(response, plain=plain) == why


def test_a_refusal_is_told_with_the_rows_it_is_about():
    wrong = batch(group("a", "original", "4", row=3), group("b", "original", "4", row=5))

    with pytest.raises(ScoringError, match=r"^file:3: rollouts from here to row 5: 413 Too Large: a long text$"):
        score(wrong, Rules(InvalidRequest(413, "Too Large", "a long text")), "majority-voting", place)
    with pytest.raises(ScoringError, match=r"^the service did not reward the rollouts: 401 Unauthorized: a key"):
        score(wrong, Rules(Unauthorized(401, "Unauthorized", "a key")), "majority-voting", place)


questions = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.tuples(st.text("12-", max_size=4), st.text("12-", max_size=4), st.sampled_from([None, "1", "2"])),
    min_size=1,
).map(
    lambda made: [
        rollout
        for question, (original, paraphrase, truth) in made.items()
        for rollout in group(question, "original", original, truth) + group(question, "paraphrase", paraphrase, truth)
    ]
)


@given(questions, st.sampled_from(["co-rewarding-i", "majority-voting", "majority-voting-union", "ground-truth"]))
def test_the_totals_do_not_depend_on_the_batches(file, method):
    whole = totals(file, method, 1000)

    for most in (1, 5):
        parts = totals(file, method, most)
        assert parts.vote_share_mean == pytest.approx(whole.vote_share_mean)
        assert parts.answers_distinct_mean == pytest.approx(whole.answers_distinct_mean)
        for exact in ("rollouts", "cohorts", "groups", "groups_rewarded", "answered", "labels_judged", "abstentions"):
            assert getattr(parts, exact) == getattr(whole, exact), exact
        assert parts.label_accuracy == whole.label_accuracy
        assert parts.reward_mean == whole.reward_mean


@given(questions)
def test_the_totals_are_those_that_can_be_counted_by_hand(file):
    made = totals(file, "majority-voting", 7)

    groups = {(r.question_id, r.view) for r in file}
    answers = {key: [last_boxed(r.response) for r in file if (r.question_id, r.view) == key] for key in groups}
    cast = {key: [key_of(a) for a in group if a is not None] for key, group in answers.items()}
    assert made.rollouts == len(file)
    assert made.groups == made.cohorts == len(groups)
    assert made.groups_rewarded == sum(bool(votes) for votes in cast.values())
    assert made.answered == sum(map(len, cast.values()))
    assert sum(made.unanswered.values()) == len(file) - made.answered
    shares = [max(map(votes.count, votes)) / len(answers[key]) for key, votes in cast.items() if votes]
    assert made.vote_share_mean == (pytest.approx(sum(shares) / len(shares)) if shares else None)
    distinct = [len(set(votes)) for votes in cast.values()]
    assert made.answers_distinct_mean == (pytest.approx(sum(distinct) / len(distinct)) if distinct else None)


@pytest.mark.parametrize(
    ("file", "method", "words"),
    [
        (group("a", "original", "4") + group("b", "original", "5"), "majority-voting", "--question-field"),
        (group("a", "original", "44"), "co-rewarding-i", "--paraphrase-rollouts-field"),
        (group("a", "original", "44"), "ground-truth", "--ground-truth-field"),
        (group("a", "original", "44"), "entropy", "--entropy-field"),
    ],
)
def test_a_likely_mistake_is_noted(file, method, words):
    (note,) = notes(totals(file, method, 10), LAYOUT)

    assert words in note


def test_nothing_is_noted_where_all_is_well():
    file = group("a", "original", "44") + group("a", "paraphrase", "44")

    assert list(notes(totals(file, "co-rewarding-i", 10), LAYOUT)) == []
