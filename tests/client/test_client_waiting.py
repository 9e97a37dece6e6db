"""What is awaited, in words: of a 202, and in the error of rewards that did not come."""

import pickle

import httpx
import msgspec
import pytest
from client_world import Caller, FakeService, rollouts
from co_rewarding_client import Awaited, Pending, StillPending
from co_rewarding_schema.waiting import CURES, Lacking, sentence

PARAPHRASE = Awaited(what="ballots", question_id="math/17", view="paraphrase", ballots=0, of=8)
SEND = "send their rollouts, with the same step, attempt and run"


@pytest.mark.parametrize(
    ("awaited", "words"),
    [
        (PARAPHRASE, "the paraphrase of 'math/17' (0 of 8 ballots)"),
        (Awaited(what="ballots", question_id="a\n", view="original", ballots=3), "the original of 'a\\n' (3 ballots)"),
        (Awaited(what="worker"), "a worker"),
        (Awaited(what="worker", question_id="q"), "a worker to settle 'q'"),
        (Awaited(what="update", step=3), "the weights of step 3, which were not published (newest: none)"),
        (Awaited(what="update", step=3, newest=0), "the weights of step 3, which were not published (newest: 0)"),
        (Awaited(what="average", step=3), "the weights of step 3 to be in the teacher's average"),
        (
            Awaited(what="average", step=3, refused="step 3: gone"),
            "the weights of step 3 to be in the teacher's average (refused: 'step 3: gone')",
        ),
        (Awaited(what="teacher"), "a teacher, of which none was seen lately"),
        (Awaited(what="generation", labels=5), "the teacher to answer (5 labels)"),
        (Awaited(what="something of a later release"), "something of a later release"),
    ],
)
def test_each_kind_has_its_words(awaited: Awaited, words: str):
    assert str(awaited) == words
    assert sentence([awaited]).startswith(f"waits for {words}")


def test_a_long_question_is_cut():
    said = str(msgspec.structs.replace(PARAPHRASE, question_id="q" * 1024))
    assert len(said) < 120
    assert "…'" in said


def test_a_sentence_names_three_and_counts_the_rest():
    some = [msgspec.structs.replace(PARAPHRASE, question_id=f"q{n}") for n in range(5)]
    named = ", ".join(f"the paraphrase of 'q{n}' (0 of 8 ballots)" for n in range(3))
    assert sentence(some, 7) == f"waits for {named} and 9 more: {SEND}"
    assert sentence(some[:1], 3) == f"waits for the paraphrase of 'q0' (0 of 8 ballots) and 3 more: {SEND}"
    assert sentence([], 3) == ""


def test_what_is_to_be_done_is_said_once_and_for_each_kind():
    assert sentence([Awaited(what="update", step=3), Awaited(what="teacher")]).endswith(
        ": call publish(step, folder) each step; start one with `co-rewarding teacher`"
    )
    assert set(CURES) <= set(Lacking)


def waiting(*some: Awaited, more: int = 0) -> Pending:
    return Pending(ticket="t/1", settled=240, of=256, waiting_for=list(some), waiting_for_more=more)


def answered(told: Pending) -> FakeService:
    """A service that says so whenever it is asked."""
    return FakeService(httpx.Response(202, content=msgspec.json.encode(told)), takes_s=30.0)


def test_the_error_names_what_is_awaited(caller: Caller):
    with pytest.raises(StillPending) as waited:
        caller.call(answered(waiting(PARAPHRASE, more=3)), "rewards", rollouts(2))
    assert (waited.value.waiting_for, waited.value.waiting_for_more) == ([PARAPHRASE], 3)
    assert str(waited.value) == (
        "ticket t/1 is not settled after 60 s (240 of 256 are); it waits for the paraphrase of 'math/17' "
        f"(0 of 8 ballots) and 3 more: {SEND}; nothing is lost: collect it later, or raise patience_s above the run's "
        "cohort_deadline_s"
    )
    assert str(pickle.loads(pickle.dumps(waited.value))) == str(waited.value)


def test_weights_that_were_never_published_are_named(caller: Caller):
    told = waiting(Awaited(what="update", step=3, labels=2))
    with pytest.raises(StillPending, match=r"weights of step 3, .* \(newest: none\): call publish\(step, folder\)"):
        caller.call(answered(told), "collect", "t/1")


def test_poll_returns_it(caller: Caller):
    told = waiting(PARAPHRASE)
    assert caller.call(answered(told), "poll", "t/1") == told
