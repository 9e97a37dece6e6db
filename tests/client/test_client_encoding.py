"""What is sent: UTF-8 JSON without None, every rollout with its identity."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from co_rewarding_client import InvalidRequest, Rollout, RunSettings, Statistics
from co_rewarding_client.encoding import (
    batch,
    encoded,
    rewards_request,
    rollouts_request,
    run_request,
    segment,
    ticket_request,
    well_formed,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)


def items(*rollouts: Rollout) -> list[dict[str, object]]:
    return batch(rollouts, run="r", step=None, method=None, complete=True)["rollouts"]


@given(st.lists(ANY_TEXT, max_size=4))
@settings(max_examples=200)
def test_any_text_arrives_as_utf8_json(texts):
    rollouts = [Rollout(prompt=text, response=text, ground_truth=text, rollout=at) for at, text in enumerate(texts)]
    document = json.loads(encoded({"rollouts": items(*rollouts)}).decode("utf-8", "strict"))
    for text, item in zip(texts, document["rollouts"], strict=True):
        arrived = item["response"]
        assert item["prompt"] == item["ground_truth"] == arrived
        arrived.encode("utf-8")
        if not any("\ud800" <= c <= "\udfff" for c in text):
            assert arrived == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udfff", "\ufffd"),
        ("end\ud83d", "end\ufffd"),
        ("\ud83d\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("\ufeffé😀", "\ufeffé😀"),
    ],
)
def test_lone_surrogates_are_replaced(text, expected):
    assert well_formed(text) == expected
    body = encoded({"response": text})
    assert b"\\ud" not in body
    assert json.loads(body.decode("utf-8")) == {"response": expected}


GROUPS = st.builds(
    lambda question, by_prompt, view: Rollout(
        question_id=None if by_prompt else question, prompt=question if by_prompt else None, view=view, response=""
    ),
    st.sampled_from(["a", "b", "c\ud800", "c\ud801"]),
    st.booleans(),
    st.sampled_from(["original", "paraphrase"]),
)


@given(st.lists(GROUPS, max_size=24))
def test_an_index_left_out_is_the_order_of_appearance_in_its_group(rollouts):
    seen: Counter[object] = Counter()
    for rollout, item in zip(rollouts, items(*rollouts), strict=True):
        group = (rollout.question_id is None, (rollout.question_id or rollout.prompt or "")[0], rollout.view)
        assert item["rollout"] == seen[group]
        seen[group] += 1


def test_a_part_numbers_nothing_by_itself():
    """Others number theirs: number 0 of one client would be number 0 of all."""
    one = Rollout(question_id="q", response="")
    sent = batch([one, replace(one, rollout=0), one], run="r", step=None, method=None, complete=False)["rollouts"]
    assert [item.get("rollout") for item in sent] == [None, 0, None]


def test_an_index_that_was_given_is_sent_as_it_is():
    one = Rollout(question_id="q", rollout=5, response="")
    assert [item["rollout"] for item in items(one, replace(one, rollout=3), replace(one, rollout=None))] == [5, 3, 2]


def test_an_index_is_not_filled_in_over_one_that_was_given():
    one = Rollout(question_id="q", response="")
    with pytest.raises(InvalidRequest, match=r"rollouts\[1\] .* number 1 .*all rollouts of a group or none"):
        items(replace(one, rollout=1), one)
    items(replace(one, rollout=1), replace(one, view="paraphrase"), replace(one, question_id="other"))


def test_what_is_none_is_left_out_and_the_rest_is_explicit():
    assert items(Rollout(question_id="q", response="")) == [
        {"question_id": "q", "view": "original", "rollout": 0, "attempt": 0, "voter": "policy", "response": ""}
    ]
    full = Rollout(
        question_id=None,
        prompt="p",
        view="paraphrase",
        rollout=2,
        attempt=1,
        voter="teacher",
        response="y",
        ground_truth="4",
        statistics=Statistics(entropy=0.0),
    )
    assert items(full) == [
        {
            "prompt": "p",
            "view": "paraphrase",
            "rollout": 2,
            "attempt": 1,
            "voter": "teacher",
            "response": "y",
            "ground_truth": "4",
            "statistics": {"entropy": 0.0},
        }
    ]
    assert "statistics" not in items(Rollout(question_id="q", statistics=Statistics(), response=""))[0]
    bare = batch([], run="r", step=None, method=None, complete=False)
    assert bare == {"run": "r", "complete": False, "rollouts": []}
    assert batch([], run="r", step=0, method="entropy", complete=True) == {
        "run": "r", "step": 0, "method": "entropy", "complete": True, "rollouts": []
    }  # fmt: skip


def test_an_evaluation_is_said_where_it_is_one_and_has_no_method():
    """A service of an earlier release does not know the field."""
    asked = {"run": "r", "step": None, "complete": True}
    assert batch([], **asked, method=None, evaluate=True) == {
        "run": "r", "complete": True, "evaluate": True, "rollouts": []
    }  # fmt: skip
    assert "evaluate" not in batch([], **asked, method=None)
    with pytest.raises(InvalidRequest, match="leave method out"):
        batch([], **asked, method="entropy", evaluate=True)


def test_a_rollout_names_its_question():
    with pytest.raises(InvalidRequest, match="give one or both"):
        Rollout(response="y")


def test_a_rollout_with_both_names_is_known_by_its_id():
    one = Rollout(question_id="q", prompt="What is 2 + 2?", response="")
    sent = items(one, replace(one, prompt="asked otherwise"), replace(one, question_id=None))
    assert [(item.get("question_id"), item["prompt"], item["rollout"]) for item in sent] == [
        ("q", "What is 2 + 2?", 0),
        ("q", "asked otherwise", 1),
        (None, "What is 2 + 2?", 0),
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
@pytest.mark.parametrize("name", ["self_certainty", "entropy"])
def test_a_statistic_that_is_not_finite_is_refused_before_it_is_sent(name, value):
    fine = Rollout(question_id="q", statistics=Statistics(self_certainty=1.0, entropy=1.0), response="")
    with pytest.raises(InvalidRequest, match=rf"rollouts\[1\]\.statistics\.{name}") as refused:
        items(fine, replace(fine, statistics=Statistics(**{name: value})))
    assert refused.value.status is None


class FloatTensor:
    """As torch's: it has `__index__`, which raises unless the number is whole."""

    def __index__(self) -> int:
        raise TypeError("only integer tensors of a single element can be converted to an index")

    def __float__(self) -> float:
        return 0.25


def test_numbers_of_numpy_and_torch_are_numbers():
    one = Rollout(
        question_id="q",
        rollout=np.int64(3),
        statistics=Statistics(self_certainty=np.float32(0.5), entropy=FloatTensor()),
        response="",
    )
    (item,) = json.loads(encoded({"rollouts": items(one)}))["rollouts"]
    assert item["rollout"] == 3
    assert item["statistics"] == {"self_certainty": 0.5, "entropy": 0.25}


@pytest.mark.parametrize("value", [math.nan, math.inf, b"bytes", object()])
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(InvalidRequest):
        encoded({"step": value})


def test_the_two_halves_share_a_body_and_carry_a_key():
    whole, half = rewards_request({"run": "r"}, 30.0, "k"), rollouts_request({"run": "r"}, "k")
    assert (whole.method, whole.target, half.method, half.target) == ("POST", "/v1/rewards", "POST", "/v1/rollouts")
    assert json.loads(whole.body or b"") == {"run": "r", "wait_s": 30.0}
    assert json.loads(half.body or b"") == {"run": "r"}
    assert whole.headers == half.headers == {"content-type": "application/json", "idempotency-key": "k"}


@pytest.mark.parametrize("key", ["", "two words", "line\n", "ключ", "x" * 1025])
def test_a_key_that_no_header_can_carry_is_refused(key):
    for make in (lambda: rewards_request({}, 0.0, key), lambda: rollouts_request({}, key)):
        with pytest.raises(InvalidRequest, match="idempotency_key"):
            make()


def test_names_are_one_segment_of_the_path():
    assert ticket_request("a/b?c#d é", 20.0).target == "/v1/rewards/a%2Fb%3Fc%23d%20%C3%A9?wait_s=20.0"
    assert segment("\ud800") == "%EF%BF%BD"
    for name in ("", ".", ".."):
        with pytest.raises(InvalidRequest):
            segment(name)


def test_a_runs_settings_are_sent_without_what_is_left_to_the_service():
    request = run_request(
        "math", RunSettings(method="co-rewarding-ii", group_size=8, total_steps=300, cohort_deadline_s=60.0)
    )
    assert (request.method, request.target) == ("PUT", "/v1/runs/math")
    assert json.loads(request.body or b"") == {
        "method": "co-rewarding-ii", "group_size": 8, "total_steps": 300, "cohort_deadline_s": 60.0
    }  # fmt: skip
    taught = RunSettings(
        method="co-rewarding-ii",
        group_size=8,
        max_teacher_lag=1,
        teacher_temperature=0.0,
        teacher_top_p=0.8,
        teacher_max_tokens=512,
    )
    assert json.loads(run_request("math", taught).body or b"") == {
        "method": "co-rewarding-ii", "group_size": 8, "max_teacher_lag": 1, "teacher_temperature": 0.0,
        "teacher_top_p": 0.8, "teacher_max_tokens": 512,
    }  # fmt: skip
    chosen = RunSettings(
        method="majority-voting",
        group_size=8,
        answer_formats=("json", "boxed"),
        end_tokens=("<|x|>",),
        thinking="never",
        conventions="strict",
    )
    assert json.loads(run_request("math", chosen).body or b"") == {
        "method": "majority-voting", "group_size": 8, "answer_formats": ["json", "boxed"], "end_tokens": ["<|x|>"],
        "thinking": "never", "conventions": "strict",
    }  # fmt: skip
