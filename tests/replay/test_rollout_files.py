"""Rows and lists as rollouts."""

import json
from dataclasses import replace

import pytest

from reward_service.tools.replay.errors import RolloutFileError
from reward_service.tools.replay.rollout_files import FileRollout
from tests.support.rollout_files import jsonl, parquet, read


@pytest.mark.parametrize("write", [jsonl, parquet])
def test_a_row_is_a_rollout(tmp_path, write):
    rows = [
        {"qid": "a", "view": "paraphrase", "rollout": 3, "step": 7, "response": "r", "gold": "4", "entropy": 0.5},
        {"qid": "b", "view": None, "rollout": None, "step": None, "response": None, "gold": None, "entropy": None},
    ]

    assert read(write(tmp_path / "f", rows)) == [
        FileRollout(
            row=1, question_id="a", response="r", view="paraphrase", rollout=3, step=7, ground_truth="4", entropy=0.5
        ),
        FileRollout(row=2, question_id="b", response=""),
    ]


@pytest.mark.parametrize("write", [jsonl, parquet])
def test_a_row_is_a_question_with_lists(tmp_path, write):
    rows = [
        {"id": 17, "gold": 4, "rollouts": [{"text": "r", "entropy": 1.0}, {"text": "s", "entropy": 2.0}],
         "paraphrase_rollouts": [{"text": "t", "entropy": 3.0}]},
        {"id": 18, "gold": 5, "rollouts": None, "paraphrase_rollouts": []},
    ]  # fmt: skip
    first = FileRollout(row=1, question_id="17", response="r", ground_truth="4", entropy=1.0)

    assert read(write(tmp_path / "f", rows)) == [
        first,
        replace(first, response="s", entropy=2.0),
        replace(first, response="t", entropy=3.0, view="paraphrase"),
    ]


def test_a_rollout_in_a_list_may_name_its_view(tmp_path):
    rows = [{"qid": "q", "view": "paraphrase", "responses": [{"text": "r", "view": "original"}, {"text": "s"}]}]

    assert [rollout.view for rollout in read(jsonl(tmp_path / "f", rows))] == ["original", "paraphrase"]


def test_lists_of_strings(tmp_path):
    rows = [{"prompt": "What is 2+2?", "completions": ["r", "s"], "answer": "4"}]

    read_ = read(jsonl(tmp_path / "f", rows))

    assert [(rollout.question_id, rollout.response, rollout.ground_truth) for rollout in read_] == [
        ("What is 2+2?", "r", "4"),
        ("What is 2+2?", "s", "4"),
    ]


def test_plain_answers_are_boxed(tmp_path):
    rows = [{"qid": "q", "rollouts": [{"answer": "\\frac12"}, {"answer": 3}, {"answer": None}, {"answer": " "}]}]
    strings = [{"qid": "q", "rollouts": ["4", 5]}]

    objects = [rollout.response for rollout in read(jsonl(tmp_path / "f", rows), plain_answers=True)]

    assert objects == ["\\boxed{\\frac12}", "\\boxed{3}", "", ""]
    assert [r.response for r in read(jsonl(tmp_path / "g", strings), plain_answers=True)] == [
        "\\boxed{4}",
        "\\boxed{5}",
    ]


def test_a_question_known_by_a_long_text_or_by_messages_gets_a_short_name(tmp_path):
    messages = [{"role": "user", "content": "x" * 300}]
    rows = [{"prompt": prompt, "response": "r"} for prompt in ("x" * 5000, "x" * 5000, "y" * 5000)]

    one, same, other = read(jsonl(tmp_path / "f", rows))
    chat = [r.question_id for r in read(jsonl(tmp_path / "g", [{"prompt": messages, "response": "r"}] * 2))]

    assert one.question_id == same.question_id != other.question_id
    assert len(set(chat)) == 1
    assert all(name.startswith("prompt:") and len(name) < 40 for name in (one.question_id, chat[0]))


def test_what_python_writes_and_json_does_not_know_is_read(tmp_path):
    path = tmp_path / "f"
    path.write_text('{"qid": "q\\ud800", "response": "r\\ud800", "entropy": NaN, "gold": NaN}\n')

    (rollout,) = read(path, entropy="entropy", ground_truth="gold")

    assert (rollout.question_id, rollout.entropy, rollout.ground_truth) == ("q?", None, None)


GOOD = {"qid": "q", "response": "r", "gold": "4", "view": "original", "rollout": 0, "step": 1, "entropy": 0.1}
LISTED = {"qid": "q", "rollouts": [{"text": "r"}]}


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (GOOD, {"response": "r"}, ["f:200: no field 'qid'", "there are response", "--question-field"]),
        (GOOD, {"qid": "q"}, ["f:200: no field 'response'", "there are qid", "--response-field"]),
        (GOOD, GOOD | {"qid": ""}, ["f:200: 'qid' is empty"]),
        (GOOD, GOOD | {"response": ["r"]}, ["'response' is a list", "--response-field"]),
        (GOOD, GOOD | {"gold": ["4"]}, ["'gold' is a list", "--ground-truth-field"]),
        (GOOD, GOOD | {"view": "front"}, ["'view' is 'front', not 'original' or 'paraphrase'", "--view-field"]),
        (GOOD, GOOD | {"rollout": 1.5}, ["'rollout' is 1.5, not a whole number", "--rollout-field"]),
        (GOOD, GOOD | {"step": True}, ["'step' is True", "--step-field"]),
        (GOOD, GOOD | {"entropy": "low"}, ["'entropy' is a string", "--entropy-field"]),
        (LISTED, {"qid": "q", "rollouts": "r"}, ["'rollouts' is no list", "--rollouts-field"]),
        (LISTED, {"qid": "q"}, ["no field 'rollouts'", "--rollouts-field"]),
        (LISTED, {"qid": "q", "rollouts": [["r"]]}, ["a rollout of the list is a list", "--response-field"]),
        (LISTED, {"qid": "q", "rollouts": [{"output": "r"}]}, ["no field 'text'", "there are output"]),
    ],
)
def test_a_row_that_is_not_like_the_others_is_told_with_its_line(tmp_path, first, second, words):
    path = jsonl(tmp_path / "f", [first] * 199 + [second])

    with pytest.raises(RolloutFileError) as told:
        read(path)

    assert all(word in str(told.value) for word in words), told.value


def test_a_value_in_a_message_is_short_and_harmless(tmp_path):
    path = jsonl(tmp_path / "f", [GOOD] * 199 + [GOOD | {"view": "\x1b[31m\n" + "x" * 10_000}])

    with pytest.raises(RolloutFileError) as told:
        read(path)

    message = str(told.value).replace(str(path), "")
    assert message.isprintable()
    assert len(message) < 250
    assert json.dumps(message)
