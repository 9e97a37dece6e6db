"""What `verify` and `vote` say, and that they say what the service says."""

import asyncio
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from co_rewarding_answers import (
    DEFAULT_FORMATS,
    AnswerGrader,
    Verdict,
    Vote,
    averify,
    avote,
    close,
    compare,
    verify,
    vote,
)
from co_rewarding_answers.judging import JudgeSettings
from co_rewarding_schema.vocabulary import View, Voter
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.cohort import Ballot
from reward_service.domain.elections import elect
from tests.support.hostile_answers import own_hostile, shared_hostile, wrong

SAME, DIFFERENT, UNDECIDED = Verdict.SAME, Verdict.DIFFERENT, Verdict.UNDECIDED


@pytest.fixture(scope="module", autouse=True)
def _judge_ends():
    yield
    close()


@pytest.mark.parametrize(
    ("gold", "response", "verdict"),
    [
        ("1/2", r"So it is \boxed{0.5}.", SAME),
        ("1/2", "0.5", SAME),
        ("1/2", "The answer is 0.25.", DIFFERENT),
        (72, "so\n#### 72", SAME),
        (0.5, "<answer>1/2</answer>", SAME),
        (r"\boxed{\frac{1}{2}}", "Answer: 0.5", SAME),
        ("It takes 40 + 32 hours.\n#### 72", "答案是72。", SAME),
        ("East", "east", SAME),
        ("no", "no", SAME),
        ("It is not possible", "It is not possible", SAME),
        (r"\sin 2x", r"\boxed{2\sin x\cos x}", SAME),
        (r"\int_{0}^{1} x^{x} dx", r"\boxed{\frac{3}{4}}", UNDECIDED),
        ("5", "is it 5? no", DIFFERENT),
        ("5", "the answer is not 5", DIFFERENT),
        ("5", "5 is wrong", DIFFERENT),
        ("5", "one\n5", DIFFERENT),
        ("5", r"\boxed{5", DIFFERENT),
        ("5", "", DIFFERENT),
        ("", "", DIFFERENT),
        ("5", "x" * 1_000_000, DIFFERENT),
    ],
)
def test_a_response_is_verified(gold: str | float, response: str, verdict: Verdict) -> None:
    assert verify(gold, response) is verdict


def test_the_formats_decide_what_is_read() -> None:
    assert verify("5", "5", formats=("boxed",)) is DIFFERENT
    assert verify("5", "5", formats=("boxed", "whole")) is SAME
    assert verify("6", r"\boxed{5} <answer>6</answer>", formats=("answer-tag", "boxed")) is SAME
    assert verify("5", r"<think>\boxed{5}", thinking="if-finished") is DIFFERENT
    assert verify("5", "5", thinking="never") is DIFFERENT
    assert verify("5", "#### 5[|end|]", formats=("hashes",), end_tokens=("[|end|]",)) is SAME
    for wrong_choice in ({"formats": ("boxes",)}, {"conventions": "loose"}, {"thinking": "sometimes"}):
        with pytest.raises(ValueError, match=r"boxes|loose|sometimes"):
            verify("5", "5", **wrong_choice)  # pyright: ignore[reportArgumentType]


def test_conventions_are_the_services() -> None:
    assert verify("12", r"\boxed{12\text{ cm}}") is SAME
    assert verify("12", r"\boxed{12\text{ cm}}", conventions="strict") is DIFFERENT
    assert compare("50", r"50\%") is SAME
    assert compare("50", r"50\%", conventions="strict") is DIFFERENT


def test_a_vote_unpacks_to_a_label_and_counts() -> None:
    label, counts = vote([r"\boxed{3}", r"\boxed{1/2}", "nothing\nat all", r"\boxed{0.5}"])
    assert (label, counts) == ("1/2", {"1/2": 2, "3": 1})
    assert vote(["3", "1/2", "I do not know", "0.5"]).labels == ("3", "1/2", None, "1/2")
    assert vote([]) == vote(["?"]).__class__(None, {}, ())
    assert vote([r"\boxed{\sin 2x}", r"\boxed{2\sin x\cos x}", r"\boxed{y}"]).counts == {r"\sin 2x": 2, "y": 1}
    left_open = vote([r"\boxed{\int_{0}^{1} x^{x} dx}", r"\boxed{\frac{3}{4}}"])
    assert (len(left_open.counts), left_open.undecided) == (2, 1)


ANSWERS = st.sampled_from(["1/2", "0.5", r"\frac{1}{2}", "3", "x", "x=3", "50%", "50", r"12\text{ cm}", "12", "12 m"])


@given(st.lists(ANSWERS | st.none(), max_size=12))
def test_a_vote_elects_what_the_service_elects(answers: list[str | None]) -> None:
    responses = ["" if answer is None else f"\\boxed{{{answer}}}" for answer in answers]
    found = vote(responses)
    ballots = [
        Ballot(View.ORIGINAL, Voter.POLICY, place, answer, label)
        for place, answer, label in zip(count(), answers, found.labels, strict=False)
    ]
    winner = elect(ballots)
    assert found.label == (None if winner is None else winner.answer)
    if winner is not None:
        assert (found.counts[winner.answer], next(iter(found.counts))) == (winner.votes, winner.answer)


async def _both() -> tuple[Verdict, Vote, Verdict]:
    return (
        await averify(r"\cos 2x", r"\boxed{2\cos^{2} x-1}"),
        await avote([r"\boxed{1}", r"\boxed{2}", r"\boxed{2}"]),
        verify(r"\cos 2x", r"\boxed{1-2\sin^{2} x}"),  # blocks the loop, as in a notebook, and needs it not
    )


def test_an_event_loop_may_run() -> None:
    verdict, voted, blocking = asyncio.run(_both())
    assert (verdict, voted.label, blocking) == (SAME, "2", SAME)


def test_many_questions_are_asked_at_once_from_one_event_loop() -> None:
    async def all_of_them() -> list[Verdict]:
        return await asyncio.gather(*(averify(rf"\sin {k}x", rf"\boxed{{\sin {k}x+0}}") for k in range(2, 40)))

    assert set(asyncio.run(all_of_them())) == {SAME}


@pytest.mark.timeout(300)
def test_hostile_responses_in_8_threads() -> None:
    texts = own_hostile() + shared_hostile()

    def timed(text: object) -> tuple[str, float]:
        began_s = time.monotonic()
        return verify(text.truth, text.response), time.monotonic() - began_s  # type: ignore[attr-defined]

    with ThreadPoolExecutor(8) as threads:
        graded = list(threads.map(timed, texts * 2))
    assert wrong(texts * 2, [verdict for verdict, _ in graded]) == []
    assert max(seconds for _, seconds in graded) < 60.0


def test_a_judge_that_has_used_its_time_leaves_undecided() -> None:
    """A flood of hard answers takes no longer than the judge may use."""
    with AnswerGrader(JudgeSettings(children=1, burst_s=0.0, per_s=0.0)) as grader:
        assert grader.verify(r"\sin 2x", r"\boxed{2\sin x\cos x}") is UNDECIDED
        assert grader.verify("1/2", r"\boxed{0.5}") is SAME
    with AnswerGrader(JudgeSettings(children=0)) as grader:
        assert grader.verify(r"\sin 2x", r"\boxed{2\sin x\cos x}") is UNDECIDED


def test_graders_are_sent_to_other_processes_without_their_judge() -> None:
    """Ray pickles a function with all that it names."""
    sent = pickle.loads(pickle.dumps({"verify": verify, "vote": vote}))
    assert sent["verify"].__self__ is sent["vote"].__self__ is verify.__self__  # type: ignore[attr-defined]
    with AnswerGrader(JudgeSettings(children=0)) as grader:
        assert pickle.loads(pickle.dumps(grader)).verify(r"\sin 2x", r"\boxed{2\sin x\cos x}") is UNDECIDED


def test_the_default_formats_are_all_there_are() -> None:
    assert DEFAULT_FORMATS[0] == "boxed"
    assert DEFAULT_FORMATS[-1] == "whole"
    assert len(set(DEFAULT_FORMATS)) == 8
