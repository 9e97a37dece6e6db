"""Which field is taken for what."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.tools.replay import fields
from reward_service.tools.replay.errors import RolloutFileError
from reward_service.tools.replay.fields import FieldNames, Layout, layout_of, look_up


def layout(*rows: dict, **names) -> Layout:
    return layout_of(rows, FieldNames(**names), "file")


@pytest.mark.parametrize("question", fields.QUESTION.names)
@pytest.mark.parametrize(
    ("response", "truth"), [pair for pair in product(fields.RESPONSE.names, fields.TRUTH.names) if len({*pair}) == 2]
)
def test_a_row_of_usual_names_is_understood(question, response, truth):
    found = layout({question: "q", response: "r", truth: "4", "score": 1.0})

    names = {response, truth}  # both may be names of a response: the one that is known for it first is taken
    expected = next(name for name in fields.RESPONSE.names if name in names)
    assert (found.question, found.response) == (question, expected)
    assert found.ground_truth == next((name for name in fields.TRUTH.names if name in names - {expected}), None)
    assert found.rollouts is None


@pytest.mark.parametrize("name", fields.ROLLOUTS.names)
def test_lists_of_objects_and_of_strings(name):
    objects = layout({"qid": "q", name: [{"model": "m", "text": "r", "rollout": 0}], "answer": "4"})
    strings = layout({"qid": "q", name: ["r", "s"], f"paraphrase_{name}": ["t"]})

    assert (objects.rollouts, objects.response, objects.rollout, objects.ground_truth) == (
        name,
        "text",
        "rollout",
        "answer",
    )
    assert (strings.rollouts, strings.response, strings.paraphrase_rollouts) == (name, None, f"paraphrase_{name}")


def test_a_usual_name_that_holds_something_else_is_passed_over():
    found = layout(
        {"id": None, "prompt": "p", "rollouts": 8, "response": {"role": "assistant"}, "output": "r", "label": ["4"],
         "view": "front", "rollout": "text", "step": -1, "entropy": "low"},
    )  # fmt: skip

    assert replace(found, left_aside=()) == Layout(question="prompt", response="output")
    assert [said.split()[0] for said in found.left_aside] == ["view", "rollout", "step"]


def test_what_only_some_rows_hold_is_found():
    found = layout({"qid": "a", "response": "r"}, {"qid": "b", "response": None, "gold": 4, "step": 3.0})

    assert (found.response, found.ground_truth, found.step) == ("response", "gold", "step")


def test_statistics_are_found_inside_their_object():
    found = layout({"qid": "q", "response": "r", "statistics": {"entropy": 0.3, "self_certainty": 11}})

    assert (found.self_certainty, found.entropy) == ("statistics.self_certainty", "statistics.entropy")
    assert {"statistics", "qid", "response"} <= found.columns


def test_names_that_are_given_go_before_those_that_are_found():
    row = {"qid": "q", "uid": "u", "response": "r", "raw": "x", "reward_model": {"ground_truth": "4"}}

    found = layout(row, question="uid", response="raw", ground_truth="reward_model.ground_truth")

    assert (found.question, found.response, found.ground_truth) == ("uid", "raw", "reward_model.ground_truth")


def test_a_field_that_was_named_for_one_thing_is_not_found_for_another():
    found = layout({"id": 1, "qid": "q", "output": "4", "text": "r"}, ground_truth="output")
    swapped = layout({"question": "r", "id": 1}, response="question", question="id")
    inside = layout({"qid": "q", "answer": "4", "rollouts": [{"answer": "r"}]}, ground_truth="answer")

    assert (found.response, found.ground_truth) == ("text", "output")
    assert (swapped.question, swapped.response) == ("id", "question")
    assert (inside.response, inside.ground_truth) == ("answer", "answer")


def test_plain_answers_are_looked_for_among_answers():
    found = layout({"qid": "q", "gold": "4", "rollouts": [{"answer": "4", "text": "long"}]}, plain_answers=True)

    assert (found.response, found.ground_truth) == ("answer", "gold")


@pytest.mark.parametrize(
    ("row", "names", "words"),
    [
        ({"a": 1, "response": "r"}, {}, ["question_id, qid", "there are a, response", "--question-field"]),
        ({"qid": "q", "b": 2}, {}, ["the response", "there are qid, b", "--response-field"]),
        ({"qid": "q", "rollouts": [{"c": 2}]}, {}, ["the response", "there are c;", "--response-field"]),
        ({"qid": "q", "response": "r"}, {"view": "w"}, ["no field 'w'", "--view-field", "qid, response"]),
        ({"qid": "q", "rollouts": ["r"]}, {"response": "text"}, ["'text'", "no objects"]),
        ({"qid": "q", "response": "r", "p": []}, {"paraphrase_rollouts": "p"}, ["--rollouts-field"]),
        ({f"f{n}": n for n in range(50)}, {}, ["f19 and 30 more"]),
    ],
)
def test_a_missing_field_is_told_with_those_there_are_and_the_option(row, names, words):
    with pytest.raises(RolloutFileError) as told:
        layout(row, **names)

    assert all(word in str(told.value) for word in words), told.value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "rollout", "x"]), inner),
    max_leaves=5,
)
usual = sorted(
    {"statistics"} | {n for w in vars(fields).values() if isinstance(w, fields.WantedFields) for n in w.names}
)


@given(st.lists(st.dictionaries(st.sampled_from(usual), json_values), min_size=1, max_size=3), st.booleans())
def test_any_rows_give_a_layout_of_fields_that_are_there_or_say_what_is_missing(rows, plain):
    try:
        found = layout(*rows, plain_answers=plain)
    except RolloutFileError:
        return
    assert any(_has(row, found.question) for row in rows)
    if found.rollouts is None:
        assert found.response not in {None, found.question, found.ground_truth}


def _has(row: dict, name: str) -> bool:
    try:
        look_up(row, name)
    except KeyError:
        return False
    return True
