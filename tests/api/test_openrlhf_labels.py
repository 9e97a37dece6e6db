"""What a label says: a cohort, a ground truth, nothing; and that whatever else it may be is refused, with its place."""

import json
from typing import Any

import msgspec
import pytest
from co_rewarding_schema.trainer_formats import LABEL_FIELDS, CohortLabel, TruthLabel
from co_rewarding_schema.vocabulary import View
from hypothesis import given
from hypothesis import strategies as st

from reward_service.api.http.problems import Problem
from reward_service.api.rewards.openrlhf_labels import label_in, labels_in

MOST = 4096
WHOLE = {"question_id": "math/17", "view": "paraphrase", "n": 8, "run": "r", "step": 3, "ground_truth": "4"}


def read(value: object) -> CohortLabel | TruthLabel | None:
    """A label as it is sent, at /v1/remote_rm and as one of a list at /get_reward: both doors say the same."""
    data = json.dumps(value).encode()
    label = label_in(data, "label")
    assert labels_in(msgspec.Raw(b"[" + data + b"]"), MOST) == [label]
    return label


def refusal(value: object) -> str:
    with pytest.raises(Problem) as refused:
        label_in(json.dumps(value).encode(), "label")
    with pytest.raises(Problem) as among_many:
        labels_in(msgspec.Raw(json.dumps(["4", None, value]).encode()), MOST)
    assert (refused.value.status, refused.value.kind) == (422, "invalid-label")
    assert refused.value.detail.startswith("label: ")
    assert among_many.value.detail.startswith("labels[2]: ")
    return refused.value.detail


@pytest.mark.parametrize("send", [dict, json.dumps, lambda label: f"\n {json.dumps(label)}"])
def test_an_object_and_its_text_name_a_cohort(send: Any) -> None:
    assert read(send(WHOLE)) == CohortLabel(
        question_id="math/17", view=View.PARAPHRASE, n=8, run="r", step=3, rollout=None, attempt=0, ground_truth="4"
    )


@pytest.mark.parametrize("text", ["4", "\\{1,2\\}", "(1,2)", "[1,2]", "x", "$\\{1\\}$", "None", "nan", '"4"'])
def test_any_other_text_is_a_ground_truth(text: str) -> None:
    assert read(text) == TruthLabel(text)


@pytest.mark.parametrize("number", ["7", "7.0", "1e3", "-0.50", "1e999", "9" * 40, "0"])
def test_a_number_is_a_ground_truth_as_it_is_written(number: str) -> None:
    assert label_in(number.encode(), "label") == TruthLabel(number)
    assert labels_in(msgspec.Raw(number.encode()), MOST) == [TruthLabel(number)]
    assert labels_in(msgspec.Raw(f'["x", {number}]'.encode()), MOST)[1] == TruthLabel(number)
    in_object = f'{{"question_id": "q", "ground_truth": {number}}}'
    named = label_in(json.dumps(in_object).encode(), "label")
    assert named == label_in(in_object.encode(), "label")
    assert isinstance(named, CohortLabel)
    assert named.ground_truth == number


@pytest.mark.parametrize("nothing", [None, ""])
def test_null_and_empty_are_no_label(nothing: str | None) -> None:
    assert read(nothing) is None
    assert labels_in(msgspec.Raw(b"null"), MOST) is None


@pytest.mark.parametrize("truth", ["{1,2}", "{\\frac12}", "4"])
def test_a_ground_truth_alone_is_one_whatever_it_begins_with(truth: str) -> None:
    assert read({"ground_truth": truth}) == read(json.dumps({"ground_truth": truth})) == TruthLabel(truth)
    assert read({"ground_truth": truth, "run": "r"}) == TruthLabel(truth, "r")


@pytest.mark.parametrize("truth", ["{1,2}", "{\\frac12}", " {x}", "{"])
def test_text_that_begins_with_a_brace_says_how_it_is_sent_as_a_ground_truth(truth: str) -> None:
    said = refusal(truth)
    assert label_in(said[said.rindex('{"ground_truth"') : said.rindex("}") + 1].encode(), "label") == TruthLabel(truth)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(WHOLE)[:-1],
        json.dumps(WHOLE)[:20],
        str(WHOLE),
        repr(json.dumps(WHOLE)),
        json.dumps(json.dumps(WHOLE)),
        json.dumps([WHOLE]),
        str(json.dumps(WHOLE).encode()),
        json.dumps(WHOLE) + "}",
        '{"question_id": NaN}',
        '{"question_id": ' + "[" * 100_000,
    ],
    ids=["cut", "cut early", "printed", "quoted", "twice", "listed", "bytes", "two ends", "NaN", "deep"],
)
def test_what_is_meant_as_a_label_and_is_none_is_refused(text: str) -> None:
    assert len(refusal(text)) < 600


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("questionid", "question_id"),
        ("questionId", "question_id"),
        ("QUESTION-ID", "question_id"),
        ("question", "question_id"),
        ("veiw", "view"),
        ("views", "view"),
        ("groundtruth", "ground_truth"),
        ("ground_thruth", "ground_truth"),
        ("Rollout", "rollout"),
        ("stpe", "step"),
        ("atempt", "attempt"),
        ("runs", "run"),
    ],
)
def test_a_misspelt_key_is_named_with_the_right_one(wrong: str, right: str) -> None:
    label: dict[str, object] = {wrong: "x", **{key: value for key, value in WHOLE.items() if key != right}}
    assert f"{wrong!r}: unknown field; did you mean {right!r}? See docs/openrlhf.md." in refusal(label)


def test_a_key_that_is_near_to_none_is_named_with_all() -> None:
    said = refusal(WHOLE | {"difficulty": 3})
    assert "'difficulty'" in said
    assert all(key in said for key in LABEL_FIELDS)


@pytest.mark.parametrize("value", [{}, [], ["4"], [WHOLE], {"view": "original"}, {"ground_truth": "4", "n": 8}])
def test_a_list_and_an_object_without_our_keys_are_refused(value: object) -> None:
    refusal(value)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"n": 0}, "n"),
        ({"n": "8"}, "n"),
        ({"n": 8.5}, "n"),
        ({"view": "third"}, "view"),
        ({"question_id": 17}, "question_id"),
        ({"question_id": ""}, "question_id"),
        ({"ground_truth": ["4"]}, "ground_truth"),
        ({"ground_truth": True}, "ground_truth"),
        ({"step": -1}, "step"),
    ],
)
def test_a_field_of_another_kind_is_named(fields: dict[str, object], where: str) -> None:
    assert f"$.{where}" in refusal(WHOLE | fields)
    assert f"$.{where}" in refusal(json.dumps(WHOLE | fields))


def test_a_whole_number_with_a_point_counts() -> None:
    label = read(WHOLE | {"n": 8.0, "step": 3.0})
    assert isinstance(label, CohortLabel)
    assert (label.n, label.step) == (8, 3)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(LABEL_FIELDS) | st.text(), inner),
    max_leaves=8,
)


@given(json_values, st.booleans())
def test_every_value_is_a_label_or_is_refused(value: object, as_text: bool) -> None:
    sent = json.dumps(value) if as_text else value
    data = json.dumps(sent).encode()
    begins = sent.lstrip()[:1] if isinstance(sent, str) else data[:1].decode()
    label: object = None
    try:
        label = label_in(data, "label")
    except Problem as problem:
        label = problem
    if isinstance(label, Problem):
        assert (label.status, label.kind, label.detail[:7]) == (422, "invalid-label", "label: ")
    elif begins == "{":
        content: dict[str, object] = json.loads(sent if isinstance(sent, str) else data)
        assert set(content) <= set(LABEL_FIELDS)
        assert "question_id" in content or "ground_truth" in content
    else:
        assert label is None or isinstance(label, TruthLabel)
