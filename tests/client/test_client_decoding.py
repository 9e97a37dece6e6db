"""What is made of an answer: values, problems, or a ProtocolError that says where."""

import copy
import json
import pickle
from datetime import UTC, datetime

import pytest
from client_world import reply, rewards_document, told
from co_rewarding_client import (
    Awaited,
    Conflict,
    InvalidRequest,
    Label,
    NotFound,
    NotImplementedByService,
    Pending,
    ProblemError,
    ProtocolError,
    Rewards,
    ServiceUnavailable,
    StillPending,
    Ticket,
    Unauthorized,
)
from co_rewarding_client.decoding import HttpReply, consistent, decoded, document, problem
from co_rewarding_client.encoding import HttpRequest
from co_rewarding_client.errors import one_line
from hypothesis import given, settings
from hypothesis import strategies as st

REQUEST = HttpRequest("GET", "/v1/rewards/t")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("a\n\u2028", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=6,
)


def read(document: object) -> Rewards:
    return consistent(decoded(reply(200, document), REQUEST, Rewards), REQUEST)


def test_rewards_are_read_and_what_is_unknown_is_left_alone():
    label = {**rewards_document()["labels"][0], "teacher_version": 12, "matches_truth": True, "seed": 7}
    value = read(
        rewards_document(
            rewards=[1, 0.0, None],
            abstentions=[None, None, "no-label"],
            answers=["4", None, "5"],
            labels=[label],
            metrics={"reward_mean": 0.5, "undecided": 0, "label_accuracy": None},
            news={"of": "version 2"},
        )
    )
    assert value == Rewards(
        run="default",
        step=3,
        method="co-rewarding-i",
        rewards=[1.0, 0.0, None],
        abstentions=[None, None, "no-label"],
        answers=["4", None, "5"],
        labels=[
            Label(
                question_id="q",
                view="original",
                answer="4",
                votes=6,
                of=8,
                voter="policy",
                voted_on=["paraphrase"],
                cohort="c1",
                teacher_version=12,
                matches_truth=True,
            )
        ],
        metrics={"reward_mean": 0.5, "undecided": 0.0, "label_accuracy": None},
    )
    assert type(value.rewards[0]) is float
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"rewards": ["1.0"]}, r"rewards\[0\]"),
        ({"rewards": [True]}, r"rewards\[0\]"),
        ({"rewards": [10**400]}, r"rewards\[0\]"),
        ({"rewards": None}, "rewards"),
        ({"rewards": [1.0, 1.0]}, "differ in length"),
        ({"rewards": [None]}, "rollout 0"),
        ({"abstentions": ["no-label"]}, "rollout 0"),
        ({"abstentions": [0]}, r"abstentions\[0\]"),
        ({"answers": [4]}, r"answers\[0\]"),
        ({"run": None}, "run"),
        ({"step": "3"}, "step"),
        ({"step": True}, "step"),
        ({"method": 1}, "method"),
        ({"labels": {}}, "labels"),
        ({"labels": ["4"]}, r"labels\[0\]"),
        ({"labels": [None]}, r"labels\[0\]"),
        (
            {"labels": [{**rewards_document()["labels"][0], "voted_on": [None]}]},
            r"got `null` - at `\$\.labels\[0\]\.voted_on\[0\]",
        ),
        ({"labels": [{"view": "original", "votes": 1}]}, r"question_id.*labels\[0\]"),
        ({"metrics": []}, "metrics"),
    ],
)
def test_an_answer_off_the_contract_says_where(changes, where):
    with pytest.raises(ProtocolError, match=where) as refused:
        read(rewards_document(**changes))
    assert "GET /v1/rewards/t" in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"rewards": NaN}',
        b"[" * 100_000,
        '{"a":1}'.encode("utf-16"),
    ],
)
def test_a_body_that_is_no_json_object(body):
    with pytest.raises(ProtocolError, match=r"GET /v1/rewards/t: .*JSON"):
        document(HttpReply(200, {}, body), REQUEST)


def test_numbers_that_are_not_finite_are_no_rewards():
    body = json.dumps(rewards_document()).replace("[1.0]", "[1e999]").encode()
    with pytest.raises(ProtocolError, match=r"rewards\[0\]"):
        decoded(HttpReply(200, {}, body), REQUEST, Rewards)


@given(
    st.dictionaries(st.sampled_from(sorted(rewards_document())), JSON, max_size=4),
    st.lists(
        st.fixed_dictionaries({}, optional={"view": JSON, "votes": JSON, "of": JSON, "voted_on": JSON}), max_size=2
    ),
)
@settings(max_examples=200)
def test_anything_else_is_a_protocol_error_and_nothing_worse(changes, labels):
    document = {**rewards_document(), "labels": labels, **changes}
    value = told(lambda: read(document))
    if isinstance(value, ProtocolError):
        assert len(str(value).splitlines()) == 1
    else:
        assert len(value.rewards) == len(value.answers) == len(value.abstentions)


def test_tickets_and_progress():
    accepted = decoded(reply(202, {"ticket": "t", "expires_at": "2026-01-02T03:04:05Z"}), REQUEST, Ticket)
    assert accepted == Ticket(ticket="t", expires_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert decoded(reply(202, {"ticket": "t", "settled": 1, "of": 2}), REQUEST, Pending).settled == 1
    for wrong in ({}, {"ticket": 3}, {"ticket": "t", "expires_at": "tomorrow"}):
        with pytest.raises(ProtocolError):
            decoded(reply(202, wrong), REQUEST, Ticket)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (413, InvalidRequest),
        (422, InvalidRequest),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, NotFound),
        (409, Conflict),
        (501, NotImplementedByService),
        (418, ProblemError),
        (500, ProblemError),
        (599, ProblemError),
    ],
)
def test_a_problem_document_becomes_its_error(status, kind):
    document = {"title": "Wrong", "detail": "rollouts[2].view is 'x'; say original", "errors": [1]}
    error = problem(reply(status, document), REQUEST)
    assert type(error) is kind
    assert isinstance(error, ProblemError)
    assert (error.status, error.title, error.detail) == (status, "Wrong", document["detail"])
    assert error.problem == document
    assert str(error) == f"{status} Wrong: {document['detail']}"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html><head><title>502 Bad Gateway</title></head>\n<hr>nginx</html>", "502 Bad Gateway nginx"),
        (b"upstream \x1b[31m away\r\nnow", r"\x1b[31m away now"),
        (b"", "an empty body"),
        (b'{"detail": "it says \\u001b[31m\\nthis"}', r"it says \x1b[31m this"),
        (b'{"detail": [{"loc": ["body", "step"], "msg": "no"}]}', '"loc": ["body", "step"]'),
        (b"[1, 2]", "[1, 2]"),
    ],
)
def test_an_error_that_is_no_problem_document_is_told_all_the_same(body, words):
    error = problem(HttpReply(500, {}, body), REQUEST)
    assert isinstance(error, ProblemError)
    assert error.title == "Internal Server Error"
    assert words in str(error).replace("\\\\", "\\")
    assert len(str(error).splitlines()) == 1


@given(status=st.integers(400, 599), body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_refusal_is_a_problem_error_of_one_line(status, body):
    error = problem(HttpReply(status, {}, body), REQUEST)
    assert isinstance(error, ProblemError)
    assert str(error).startswith(str(status))
    assert str(error).isprintable()


def test_a_redirect_is_not_followed_but_told():
    error = problem(reply(307, headers={"location": "https://elsewhere/"}), REQUEST)
    assert isinstance(error, ProtocolError)
    assert "307" in str(error)
    assert "https://elsewhere/" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest(422, "t", "d", {"title": "t"}),
        ProblemError(None, "t"),
        StillPending("t", 1, 2, 60.0),
        StillPending("t", 1, 2, 60.0, [Awaited(what="ballots", question_id="q", view="original", ballots=0, of=8)], 3),
        ServiceUnavailable("away"),
        ProtocolError("off"),
    ],
)
def test_errors_survive_the_way_from_a_worker(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@given(st.text(max_size=200), st.integers(2, 50))
def test_a_line_for_the_log_is_one_line_and_short(text, limit):
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
