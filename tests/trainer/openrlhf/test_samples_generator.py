"""What the teacher is told before the policy generates, and everything that may go wrong with it."""

import json
from threading import Event
from typing import Any

import httpx
import pytest
from co_rewarding_client import Question
from co_rewarding_trainer.openrlhf.samples_generator import announce, announced
from co_rewarding_trainer.openrlhf.settings import TrainingSettings

VIEWS = ("original", "paraphrase")


def labels(question: str, **more: Any) -> tuple[str, ...]:
    return tuple(json.dumps({"question_id": question, "view": view, "n": 2} | more) for view in VIEWS)


def settings(**changes: Any) -> TrainingSettings:
    fields: dict[str, Any] = {"url": "http://service/", "run": "a-run", "api_key": "secret", "teacher": True}
    return TrainingSettings(**(fields | changes))


class Service(httpx.BaseTransport):
    """Answers as the contract has it, once it may."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.may_answer = Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.may_answer.wait(30.0)
        self.requests.append(request)
        return httpx.Response(202, json={"accepted": len(json.loads(request.content)["questions"])})


def test_all_views_are_told_as_the_policy_reads_them_and_nobody_waits_for_the_answer():
    service = Service()
    prompts = [("<user>o1", "<user>p1"), ("<user>o2", "<user>p2")]
    threads = announce(settings(), prompts, [labels("q1", step=4), labels("q2", step=4)], service)
    assert service.requests == [], "not answered yet"
    service.may_answer.set()
    for thread in threads:
        thread.join()
    (request,) = service.requests
    assert (request.method, request.url.path) == ("POST", "/v1/teacher/prefetch")
    assert request.headers["authorization"] == "Bearer secret"
    assert json.loads(request.content) == {
        "run": "a-run",
        "step": 4,
        "questions": [
            {"question_id": f"q{number}", "view": view, "prompt": f"<user>{view[0]}{number}"}
            for number in (1, 2)
            for view in VIEWS
        ],
    }


def test_a_method_without_a_teacher_tells_nothing():
    assert announce(settings(teacher=False), ["o"], [labels("q", step=0)[0]], Service()) == []


def test_evaluation_tells_nothing():
    assert announce(settings(), ["What is 1 + 1?", "And 2 + 2?"], ["2", ""], Service()) == []


def test_one_view_runs_and_steps():
    """Labels of one prompt each; without a step where the label has none, and in the run that it names."""
    first, _ = labels("q1", step=4)
    second, _ = labels("q2", run="another")
    third, _ = labels("q3", step=5)
    tried, _ = labels("q4", step=5, evaluate=True)
    assert announced("a-run", ["one", "two", "three", "four"], [first, second, third, tried]) == {
        ("a-run", 4): [Question(question_id="q1", view="original", prompt="one")],
        ("another", None): [Question(question_id="q2", view="original", prompt="two")],
        ("a-run", 5): [Question(question_id="q3", view="original", prompt="three")],
    }


@pytest.mark.parametrize("answer", [404, 422, 503, None], ids=str)
def test_a_service_that_does_not_take_them_stops_nothing(caplog: pytest.LogCaptureFixture, answer: int | None):
    asked = 0

    def refuse(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if answer is None:
            raise httpx.ConnectError("away")
        return httpx.Response(answer, json={"title": "not now"})

    for thread in announce(settings(), ["o"], [labels("q", step=4)[0]], httpx.MockTransport(refuse)):
        thread.join()
    assert asked == 1, "the first rollout asks all the same"
    assert "1 questions of step 4 were not announced" in caplog.text
