"""The calls about the teacher, for the blocking client and the one for asyncio, over httpx.MockTransport."""

from typing import Any

import httpx
import pytest
from client_world import Caller, FakeService, problem, rewards_document, rollouts
from co_rewarding_client import (
    Conflict,
    InvalidRequest,
    ProtocolError,
    Question,
    TeacherState,
    TeacherUpdate,
)

STATE: dict[str, Any] = {
    "run": "math",
    "version": 12,
    "step": 12,
    "alpha": 0.9905,
    "model": "m",
    "ready": True,
    "queue": 3,
    "waiting": 5,
    "waiting_for": None,
    "refused": None,
    "teachers": 1,
}


def test_weights_on_a_shared_disk_are_published_by_name(caller: Caller):
    service = FakeService(httpx.Response(202, json={"version": 12, "alpha": 0.9905}))
    update = caller.call(service, "publish", 12, "math.step-12", client={"run": "math"})
    assert update == TeacherUpdate(version=12, alpha=0.9905)
    assert (service.request.method, service.request.url.path) == ("POST", "/v1/teacher/updates")
    assert service.body == {"run": "math", "step": 12, "path": "math.step-12"}


def test_a_checksum_and_another_run_may_be_given(caller: Caller):
    service = FakeService(problem(503), httpx.Response(202, json={"version": 0, "alpha": 0}))
    update = caller.call(service, "publish", 0, "w", run="other", sha256="ab")
    assert update == TeacherUpdate(version=0, alpha=0.0)
    assert {request.content for request in service.requests} == {
        b'{"run":"other","step":0,"path":"w","sha256":"ab"}'
    }, "a retry differs from the first try"


def test_an_older_step_is_a_conflict(caller: Caller):
    with pytest.raises(Conflict, match="older"):
        caller.call(FakeService(problem(409, detail="step 3 is older than step 12")), "publish", 3, "w")


@pytest.mark.parametrize("document", [{"version": 12}, {"alpha": 1.0}, {"version": "12", "alpha": 1.0}])
def test_an_update_has_a_version_and_its_alpha(caller: Caller, document: dict[str, object]):
    with pytest.raises(ProtocolError):
        caller.call(FakeService(httpx.Response(202, json=document)), "publish", 12, "w")


def test_questions_are_answered_ahead(caller: Caller):
    service = FakeService(httpx.Response(202, json={"accepted": 3}))
    questions = [
        Question(question_id="q/1", prompt="<user>What is 2 + 2?\ud800"),
        Question(question_id="q/1", view="paraphrase", question="Two and two make?"),
        Question(
            question_id="q/2",
            messages=[{"role": "system", "content": "s"}, {"role": "user", "content": "u", "name": "n"}],
        ),
    ]
    assert caller.call(service, "prefetch", 13, questions) == 3
    assert (service.request.method, service.request.url.path) == ("POST", "/v1/teacher/prefetch")
    assert service.body == {
        "run": "default",
        "step": 13,
        "questions": [
            {"question_id": "q/1", "view": "original", "prompt": "<user>What is 2 + 2?\ufffd"},
            {"question_id": "q/1", "view": "paraphrase", "question": "Two and two make?"},
            {
                "question_id": "q/2",
                "view": "original",
                "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
            },
        ],
    }


def test_a_prefetch_may_be_of_no_step_and_of_another_run(caller: Caller):
    service = FakeService(httpx.Response(202, json={"accepted": 0}))
    assert caller.call(service, "prefetch", None, [], run="math") == 0
    assert service.body == {"run": "math", "questions": []}


@pytest.mark.parametrize("told", [{}, {"prompt": "p", "question": "q"}, {"question": "q", "messages": []}])
def test_a_question_is_told_in_one_way(told: dict[str, object]):
    with pytest.raises(InvalidRequest, match="give one of prompt, question and messages"):
        Question(question_id="q", **told)


def test_a_message_without_its_content_is_not_sent(caller: Caller):
    service = FakeService(httpx.Response(202, json={"accepted": 1}))
    with pytest.raises(InvalidRequest, match=r"questions\[1\]\.messages\[0\] has no 'content'"):
        caller.call(
            service,
            "prefetch",
            1,
            [Question(question_id="a", prompt="p"), Question(question_id="b", messages=[{"role": "user"}])],
        )
    assert service.requests == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"waiting_for": "update"},
        {"version": 0, "step": 0, "alpha": None, "model": None, "ready": False, "refused": "no such folder"},
    ],
)
def test_the_teacher_tells_its_version(caller: Caller, changes: dict[str, Any]):
    service = FakeService(httpx.Response(200, json=STATE | changes | {"news": []}))
    assert caller.call(service, "teacher", client={"run": "math"}) == TeacherState(**(STATE | changes))
    assert service.request.url.raw_path == b"/v1/teacher?run=math"


@pytest.mark.parametrize(
    "changes",
    [{"ready": None}, {"ready": 1}, {"queue": None}, {"alpha": "0.99"}, {"version": 1.5}, {"waiting_for": 13}],
    ids=str,
)
def test_a_teacher_off_the_contract(caller: Caller, changes: dict[str, object]):
    with pytest.raises(ProtocolError, match=next(iter(changes))):
        caller.call(FakeService(httpx.Response(200, json=STATE | changes)), "teacher")


def test_another_runs_teacher_is_asked_for_by_name(caller: Caller):
    service = FakeService(httpx.Response(200, json=STATE))
    caller.call(service, "teacher", "qwen3/8b é")
    assert service.request.url.params["run"] == "qwen3/8b é"


def test_a_label_names_the_version_that_elected_it(caller: Caller):
    label = rewards_document()["labels"][0] | {"voter": "teacher", "teacher_version": 12}
    service = FakeService(httpx.Response(200, json=rewards_document(labels=[label])))
    assert caller.call(service, "rewards", rollouts()).labels[0].teacher_version == 12
