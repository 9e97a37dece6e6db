"""Arguments of another type: each is named in an error of the client's own, and nothing is sent."""

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from client_world import Caller, FakeService, rollouts, settled
from co_rewarding_client import InvalidRequest, Question, RewardClient, Rollout, RunSettings, Statistics

ONE = rollouts()[0]
FIELDS = {"question_id": "q", "response": "4"}
WRONG_CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("rewards", ([FIELDS],), {}, r"rollouts\[0\] is of type dict; give a Rollout: Rollout\(\*\*fields\)"),
    ("rewards", ([ONE, "4"],), {}, r"rollouts\[1\] is of type str; give a Rollout"),
    ("rewards", (ONE,), {}, "rollouts is of type Rollout; give a list of Rollout"),
    ("rewards", (FIELDS,), {}, "rollouts is of type dict; give a list of Rollout"),
    ("rewards", (None,), {}, "rollouts is None; give a list of Rollout"),
    ("rewards", ((each for each in [ONE]),), {}, "rollouts is of type generator; give a list of Rollout"),
    ("rewards", ([ONE],), {"wait_s": "3"}, "wait_s is of type str; give a number"),
    ("rewards", ([ONE],), {"idempotency_key": 3}, "idempotency_key is of type int; give a str"),
    (
        "rewards",
        ([Rollout(question_id="q", statistics=Statistics(entropy="low"), response="")],),  # type: ignore[arg-type]
        {},
        r"rollouts\[0\].statistics.entropy is of type str; give a number",
    ),
    ("submit", (ONE,), {}, "rollouts is of type Rollout; give a list of Rollout"),
    ("collect", (3,), {}, "ticket or cohort is of type int; give a str"),
    ("poll", ("t",), {"wait_s": None}, "wait_s is None; give a number"),
    ("put_run", ("r", {"method": "entropy"}), {}, r"settings is of type dict; give a RunSettings"),
    ("put_run", (3, RunSettings(method="entropy", group_size=8)), {}, "the name of a run, .* is of type int"),
    ("cohorts", (17,), {}, "question_id is of type int; give a str"),
    ("cohorts", ("q",), {"most": "all"}, "most is of type str; give a number"),
    ("questions", (), {"sort": 3}, "sort is of type int; give a str"),
    ("questions", (), {"most": "all"}, "most is of type str; give a number"),
    ("series", (3,), {}, "run is of type int; give a str"),
    ("cohorts_page", (), {"most": None}, "most is None; give a number"),
    ("publish", (1, 3), {}, "folder is of type int; give a str or a Path"),
    ("publish", (1, "w"), {"run": 3}, "run is of type int; give a str"),
    (
        "prefetch",
        (1, Question(question_id="q", question="2 + 2?")),
        {},
        "questions is of type Question; give a list of Question",
    ),
    ("prefetch", (1, ["2 + 2?"]), {}, r"questions\[0\] is of type str; give a Question"),
    ("paraphrase", ("2 + 2?",), {}, "questions is of type str; give a list of Question"),
    ("paraphrase", ([{"question": "2 + 2?"}],), {}, r"questions\[0\] is of type dict; give a Question: Question"),
    ("paraphrase", (["2 + 2?"],), {"ground_truths": ["4"]}, "ground_truths is of type list; give a dict of texts"),
    ("paraphrase", (["2 + 2?"],), {"recipe": "reword"}, "recipe is of type str; give a dict of the fields"),
    ("teacher", (3,), {}, "run is of type int; give a str"),
]


@pytest.mark.parametrize(("name", "args", "options", "said"), WRONG_CALLS)
def test_an_argument_of_another_type_is_named(
    caller: Caller, name: str, args: tuple[Any, ...], options: dict[str, Any], said: str
):
    service = FakeService(settled())
    with pytest.raises(InvalidRequest, match=said) as refused:
        caller.call(service, name, *args, **options)
    assert refused.value.status is None
    assert service.requests == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Rollout(question_id=3, response=""), "question_id is of type int; give a str or None"),  # type: ignore[arg-type]
        (lambda: Rollout(question_id="q", response=None), "response is None; give a str"),  # type: ignore[arg-type]
        (lambda: Rollout(question_id="q", ground_truth=True, response=""), "ground_truth is of type bool"),  # type: ignore[arg-type]
        (lambda: Rollout(question_id="q", view=["original"], response=""), "view is of type list"),  # type: ignore[arg-type]
        (lambda: Rollout(question_id="q", rollout="0", response=""), "rollout is of type str; give an int or None"),  # type: ignore[arg-type]
        (
            lambda: Rollout(question_id="q", statistics={"entropy": 1.0}, response=""),
            "statistics is of type dict; give a Statistics",
        ),  # type: ignore[arg-type]
        (lambda: Question(question_id=3, question="2 + 2?"), "question_id is of type int; give a str"),  # type: ignore[arg-type]
        (lambda: Question(question_id="q", question=3), "question is of type int"),  # type: ignore[arg-type]
        (lambda: Question(question_id="q", messages="2 + 2?"), "messages is of type str; give a list of dict"),  # type: ignore[arg-type]
        (lambda: Question(question_id="q", messages=["2 + 2?"]), r"messages\[0\] is of type str; give a dict"),  # type: ignore[arg-type]
        (lambda: RewardClient(8000), "base_url is of type int; give a str"),  # type: ignore[arg-type]
        (lambda: RewardClient("http://h", api_key=b"k"), "api_key is of type bytes"),  # type: ignore[arg-type]
        (lambda: RewardClient("http://h", run=3), "run is of type int"),  # type: ignore[arg-type]
        (lambda: RewardClient("http://h", patience_s="9"), "patience_s is of type str; give a number"),  # type: ignore[arg-type]
    ],
)
def test_a_field_of_another_type_is_named(make: Callable[[], object], said: str):
    with pytest.raises(InvalidRequest, match=f"^{said}"):
        make()


def test_what_was_not_sent_is_told_without_a_status():
    with pytest.raises(InvalidRequest) as refused:
        RewardClient("127.0.0.1:8000")
    assert str(refused.value) == (
        "the base URL is not http(s)://host[:port][/path]; give one like http://127.0.0.1:8000"
    )


def test_a_folder_without_weights_is_told_without_a_status(caller: Caller, tmp_path):
    with pytest.raises(InvalidRequest) as refused:
        caller.call(FakeService(settled()), "publish", 1, tmp_path, upload=True)
    assert str(refused.value).startswith(f"{str(tmp_path)!r} holds no *.safetensors")


def test_numbers_and_lists_of_other_libraries_are_taken(caller: Caller):
    batch = np.array([Rollout(question_id="q", rollout=np.int64(0), response="4")], dtype=object)  # type: ignore[arg-type]
    service = FakeService(settled())
    caller.call(service, "rewards", batch, wait_s=np.float32(1.0))
    assert service.body["rollouts"][0]["rollout"] == 0


def test_a_text_is_a_question_known_by_its_place(caller: Caller):
    service = FakeService(httpx.Response(200, json={"paraphrases": []}))
    caller.call(
        service, "paraphrase", ["2 + 2?", Question(question_id="x", question="3 + 3?")], ground_truths={"0": "4"}
    )
    assert service.body["questions"] == [
        {"question_id": "0", "question": "2 + 2?", "ground_truth": "4"},
        {"question_id": "x", "question": "3 + 3?"},
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"group_size": 0}, "group_size is 0: it must lie between 1 and 4096"),
        ({"group_size": "8"}, "group_size is '8': it must lie between 1 and 4096"),
        ({"group_size": 2.5}, "Expected `int`, got `float` - at `$.group_size`"),
        ({"end_tokens": [1]}, "Expected `str`, got `int` - at `$.end_tokens[0]`"),
        ({"method": ["x"]}, "got `array` - at `$.method`"),
        ({"group_size": None}, "got `null` - at `$.group_size`"),
        ({"cohort_deadline_s": True}, "got `bool` - at `$.cohort_deadline_s`"),
        ({"answer_formats": "boxed"}, "answer_formats is 'boxed' and no list"),
        ({"end_tokens": "x"}, "end_tokens is one text: give a list of texts"),
        ({"quarantine": "abstain", "method": "majority-voting"}, "leave it off, or choose co-rewarding-i"),
    ],
)
def test_settings_that_no_run_could_have_are_refused_before_they_are_sent(changes, said):
    with pytest.raises(InvalidRequest) as refused:
        RunSettings(**({"method": "co-rewarding-i", "group_size": 8} | changes))
    assert said in str(refused.value)
    assert refused.value.status is None


def test_a_method_of_a_later_service_may_be_asked_for():
    assert RunSettings(method="not-known-yet", group_size=8).method == "not-known-yet"
