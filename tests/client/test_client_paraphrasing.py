"""The call for paraphrases, for the blocking client and the one for asyncio, over httpx.MockTransport."""

import httpx
import pytest
from client_world import Caller, FakeService, problem
from co_rewarding_client import InvalidRequest, Paraphrase, ProtocolError, Question

ANSWER = {
    "question_id": "q/1",
    "paraphrase": "Two and two make?",
    "accepted": True,
    "fate": "rewritten",
    "checks": {"numbers_kept": True, "not_copied": False, "same_answer": 0.94},
    "reasons": ["copy: near"],
    "candidates": [],
    "error": None,
}
LEFT_OUT = ANSWER | {"question_id": "q/2", "paraphrase": None, "accepted": False, "fate": "left-out", "reasons": []}
QUESTIONS = [
    Question(question_id="q/1", question="What is 2 + 2?\ud800"),
    Question(question_id="q/2", question="And 3 + 3?"),
]


def test_questions_are_rewritten_and_what_takes_longer_is_asked_for_again(caller: Caller):
    done = httpx.Response(200, json={"paraphrases": [ANSWER, LEFT_OUT]})
    service = FakeService(problem(504, detail="0 of 2 are done"), done)
    found = caller.call(
        service,
        "paraphrase",
        QUESTIONS,
        ground_truths={"q/1": "4"},
        recipe={"n": 2},
        wait_s=5.0,
        client={"run": "math"},
    )
    assert found == (
        Paraphrase(
            question_id="q/1",
            paraphrase="Two and two make?",
            accepted=True,
            fate="rewritten",
            checks={"numbers_kept": True, "not_copied": False, "same_answer": 0.94},
            reasons=["copy: near"],
            candidates=[],
            error=None,
        ),
        Paraphrase(
            question_id="q/2",
            paraphrase=None,
            accepted=False,
            fate="left-out",
            checks={"numbers_kept": True, "not_copied": False, "same_answer": 0.94},
            reasons=[],
            candidates=[],
            error=None,
        ),
    )
    first, second = service.requests
    assert (first.method, first.url.path) == ("POST", "/v1/paraphrases")
    assert first.content == second.content, "the same request is the same work"
    assert first.content.decode() == (
        '{"n":2,"run":"math","questions":[{"question_id":"q/1","question":"What is 2 + 2?\ufffd","ground_truth":"4"},'
        '{"question_id":"q/2","question":"And 3 + 3?"}],"wait_s":5.0}'
    )


def test_what_is_rewritten_is_the_bare_question(caller: Caller):
    service = FakeService(httpx.Response(200, json={"paraphrases": []}))
    with pytest.raises(InvalidRequest, match=r"questions\[1\]"):
        caller.call(service, "paraphrase", [QUESTIONS[0], Question(question_id="q", prompt="<user>2 + 2?")])
    assert service.requests == []


@pytest.mark.parametrize("changes", [{"accepted": None}, {"fate": 3}, {"checks": []}, {"reasons": [None]}], ids=str)
def test_a_paraphrase_off_the_contract(caller: Caller, changes: dict[str, object]):
    service = FakeService(httpx.Response(200, json={"paraphrases": [ANSWER | changes]}))
    with pytest.raises(ProtocolError, match=next(iter(changes))):
        caller.call(service, "paraphrase", QUESTIONS)
