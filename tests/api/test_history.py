"""A question's last labels: the gate `stability` reads them, and the questions of a run are listed by them."""

import random
from typing import Any
from uuid import uuid4

import httpx
import pytest
from co_rewarding_client import InvalidRequest, NotFound, RewardClient

from tests.support.service import assert_problem, pair, rollout
from tests.support.waiting import wait_until

STABLE = {"method": "stable-majority", "group_size": 4, "stability_lambda": 0.5, "stability_window": 4}


def made(client: httpx.Client, **settings: Any) -> str:
    name = f"run-{uuid4().hex[:8]}"
    answer = client.put(f"/v1/runs/{name}", json=STABLE | settings)
    assert answer.status_code == 200, answer.text
    return name


def step(client: httpx.Client, run: str, number: int | None, rollouts: list[dict[str, Any]], **more: Any) -> Any:
    answer = client.post("/v1/rewards", json={"run": run, "step": number, "rollouts": rollouts} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def voted(answer: str, view: str = "original", **more: Any) -> list[dict[str, Any]]:
    """A group of four that elects an answer by three votes."""
    return [rollout("q", view, at, each, **more) for at, each in enumerate([answer, answer, answer, "999"])]


def questions(client: httpx.Client, run: str, **asked: Any) -> dict[str, Any]:
    answer = client.get(f"/v1/runs/{run}/questions", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def flipping(answers: list[str], window: int) -> float:
    """The gate's f, written apart: of the last labels, the share of neighbours that differ."""
    last = answers[-window:]
    differ = [last[at] != last[at - 1] for at in range(1, len(last))]
    return sum(differ) / len(differ) if differ else 0.0


@pytest.mark.parametrize("complete", [True, False], ids=["whole batches", "joined"])
def test_a_label_that_changes_earns_less(client: httpx.Client, complete: bool) -> None:
    run = made(client)
    rng = random.Random(7)
    answers: dict[str, list[str]] = {"original": [], "paraphrase": []}
    for number in range(12):
        drawn = {view: rng.choice(["1", "2"]) for view in answers}
        sent = voted(drawn["original"]) + voted(drawn["paraphrase"], "paraphrase")
        got = step(client, run, number, sent, complete=complete)
        for at, view in enumerate(answers):
            answers[view].append(drawn[view])
            worth = 1 - 0.5 * flipping(answers[view], 4)
            assert got["rewards"][4 * at : 4 * at + 4] == pytest.approx([worth] * 3 + [0.0])
    assert flipping(answers["original"], 4) > 0


def test_an_empty_list_says_whether_labels_are_kept(client: httpx.Client) -> None:
    kept = {
        made(client): True,
        made(client, method="majority-voting", history=True): True,
        made(client, method="majority-voting"): False,
    }
    for run, history in kept.items():
        assert questions(client, run) == {"questions": [], "history": history, "cursor": None}


def test_equal_answers_are_no_change_and_a_window_of_one_never_is(client: httpx.Client) -> None:
    run, narrow = made(client), made(client, stability_window=1)
    for number, answer in enumerate(["0.5", "\\frac{1}{2}", "1/2", "2/4"]):
        assert step(client, run, number, voted(answer))["rewards"] == [1.0, 1.0, 1.0, 0.0]
    for number, answer in enumerate(["1", "2", "3"]):
        assert step(client, narrow, number, voted(answer))["rewards"] == [1.0, 1.0, 1.0, 0.0]
    (question,) = questions(client, run)["questions"]
    assert question["flips"] == 0
    assert {label["answer"] for label in question["labels"]["original"]} == {"0.5"}


def test_a_repeated_request_and_a_step_done_again_count_once(client: httpx.Client) -> None:
    run = made(client)
    step(client, run, 1, voted("1"))
    once = step(client, run, 2, voted("2"))
    assert once["rewards"][0] == 0.5
    assert once["labels"][0]["instability"] == 1.0
    assert step(client, run, 2, voted("2")) == once
    again = step(client, run, 2, voted("1", attempt=1))
    assert again["rewards"][0] == 1.0
    (question,) = questions(client, run)["questions"]
    told = [(label["step"], label["attempt"], label["answer"]) for label in question["labels"]["original"]]
    assert told == [(1, 0, "1"), (2, 1, "1")]
    assert (question["flips"], question["share"]) == (0, 0.75)


def test_late_ballots_earn_as_the_group_did(client: httpx.Client) -> None:
    run = made(client, cohort_deadline_s=0.3)
    step(client, run, 1, voted("1"))
    early = step(client, run, 2, voted("2")[:3], complete=False)
    assert early["rewards"] == [0.5] * 3
    late = step(client, run, 2, [rollout("q", "original", 3, "2")], complete=False)
    assert late["rewards"] == [0.5]


def test_an_abstention_is_no_label(client: httpx.Client) -> None:
    run = made(client)
    step(client, run, 1, voted("1"))
    nothing = [rollout("q", "original", at, None) for at in range(4)]
    assert step(client, run, 2, nothing)["rewards"] == [None] * 4
    assert step(client, run, 3, voted("1"))["rewards"][0] == 1.0
    (question,) = questions(client, run)["questions"]
    assert [label["step"] for label in question["labels"]["original"]] == [1, 3]


def filled(client: httpx.Client) -> str:
    """Questions q0, q1, ... of which q<n> changes its label n times."""
    run = made(client, method="co-rewarding-i", group_size=2, stability_window=8, history=True)
    for number in range(5):
        sent = [each for q in range(6) for each in pair(f"q{q}", [str(min(number, q))] * 2, [str(q), "none"])]
        step(client, run, number, sent)
    return run


def test_questions_come_by_doubt_and_page_by_page(client: httpx.Client) -> None:
    run = filled(client)
    by_flips = questions(client, run)["questions"]
    assert [(each["question_id"], each["flips"]) for each in by_flips] == [
        ("q4", 4), ("q5", 4), ("q3", 3), ("q2", 2), ("q1", 1), ("q0", 0),
    ]  # fmt: skip
    for sort in ("flips", "disagreement", "share"):
        whole = questions(client, run, sort=sort)["questions"]
        values = [each[sort] for each in whole]
        assert values == sorted(values, reverse=sort != "share")
        pages, cursor = [], None
        while True:
            page = questions(client, run, sort=sort, limit=2, **({"cursor": cursor} if cursor else {}))
            assert len(page["questions"]) == 2
            pages += page["questions"]
            cursor = page["cursor"]
            if cursor is None:
                break
        assert pages == whole


def test_disagreement_is_of_views_or_of_voters(client: httpx.Client) -> None:
    run = made(client, method="co-rewarding-i", group_size=2, history=True)
    for number in range(2):
        apart = pair("views", ["1", "1"], ["2", "2"])  # each view is labelled by the other one: nobody gave his label
        half = pair("half", ["1", "1"], ["1", "3"])
        step(client, run, number, apart + half + pair("none", ["1", "1"], ["1", "1"]))
    found = {each["question_id"]: each["disagreement"] for each in questions(client, run)["questions"]}
    assert found == {"views": 1.0, "half": 0.25, "none": 0.0}


def test_labels_are_kept_only_where_the_run_says_so(client: httpx.Client) -> None:
    run = made(client, method="majority-voting")
    step(client, run, 1, voted("1"))
    assert questions(client, run) == {"questions": [], "history": False, "cursor": None}
    client.put(f"/v1/runs/{run}", json=STABLE | {"method": "majority-voting", "history": True})
    step(client, run, 2, voted("1"))
    (question,) = questions(client, run)["questions"]
    assert [label["step"] for label in question["labels"]["original"]] == [2]
    step(client, run, 3, voted("1"), evaluate=True)
    assert questions(client, f"{run}.evaluation")["questions"] == []


def test_cursors_and_runs_that_are_none_are_refused(client: httpx.Client) -> None:
    run = filled(client)
    url = f"/v1/runs/{run}/questions"
    for made_up in ("7ff8000000000000.ff", "fff0000000000000.ed", "7fefffffffffffff.00"):
        assert client.get(url, params={"cursor": made_up}).status_code == 200
    for wrong in ("x", "0", "0011.00", "0123456789abcdef.0", "0123456789abcdef." + "00" * 5000):
        assert_problem(client.get(url, params={"cursor": wrong}), 422, "cursor")
    assert_problem(client.get("/v1/runs/nobody/questions"), 404, "nobody")
    assert_problem(client.get("/v1/runs/nobody/series"), 404, "nobody")
    assert_problem(client.get(url, params={"sort": "age"}), 422, "sort")


def test_signs_of_each_step_come_from_settled_groups(client: httpx.Client) -> None:
    run = made(client, method="co-rewarding-i", group_size=2)
    sent = pair("p", ["7", "7"], ["7", None]) + pair("q", ["8", "9"], ["7", "7"])
    sent[0]["statistics"] = {"length": 100}
    sent[1]["statistics"] = {"length": 300}
    step(client, run, 3, sent)
    step(client, run, 4, pair("p", ["7", "7"], ["7", "7"]), complete=False)
    step(client, run, None, pair("p", ["7", "7"], ["7", "7"]))
    series = client.get(f"/v1/runs/{run}/series").json()
    first, second = series["steps"]
    assert first == {
        "step": 3, "attempt": 0, "groups": 4, "rollouts": 8, "labels": 4,
        "distinct_answers": 5 / 4,
        "top_share": 5 / 7,
        "vote_share": (1 + 0.5 + 0.5 + 1) / 4,
        "label_agreement": pytest.approx((1 + 0.5 + 0 + 0) / 4),
        "view_agreement": 0.5,
        "answered": 7 / 8,
        "length": 200.0,
        "reward": 3 / 8,
        "label_accuracy": None,
        "abstentions": {},
    }  # fmt: skip
    assert (second["step"], second["top_share"], second["view_agreement"]) == (4, 1.0, 1.0)
    assert client.get(f"/v1/runs/{run}").json()["signs"] == second
    assert client.get(f"/v1/runs/{run}/series", params={"limit": 1}).json()["steps"] == [second]

    def counted() -> bool:
        text = client.get("/metrics").text
        return (
            f'co_rewarding_groups_total{{run="{run}"}} 8.0' in text
            and f'co_rewarding_top_answer_share{{run="{run}"}} 1.0' in text
            and f'co_rewarding_view_pairs_total{{run="{run}",same="no"}} 1.0' in text
        )

    wait_until(counted)


def test_a_step_tells_who_was_not_rewarded_and_which_labels_were_right(client: httpx.Client) -> None:
    run = made(client, method="majority-voting", group_size=2)
    right, wrong = (
        [rollout(question, "original", at, "7", ground_truth=truth) for at in range(2)]
        for question, truth in (("p", "7"), ("q", "8"))
    )
    nothing = [rollout("r", "original", at, None) for at in range(2)]
    step(client, run, 1, right + wrong + nothing)
    (signs,) = client.get(f"/v1/runs/{run}/series").json()["steps"]
    assert (signs["reward"], signs["label_accuracy"], signs["abstentions"]) == (1.0, 0.5, {"no-label": 2})


@pytest.mark.parametrize("history", [True, False])
def test_views_that_are_labelled_apart_agree_where_their_labels_are_kept(client: httpx.Client, history: bool) -> None:
    run = made(client, method="majority-voting", group_size=4, history=history)
    for view in ("original", "paraphrase"):
        step(client, run, 1, voted("1", view), complete=False)
        step(client, run, 2, voted("1" if view == "original" else "2", view))
    first, second = client.get(f"/v1/runs/{run}/series").json()["steps"]
    assert (first["labels"], second["labels"]) == (2, 2)
    assert (first["view_agreement"], second["view_agreement"]) == ((1.0, 0.0) if history else (None, None))


def test_the_client_lists_questions_series_and_cohorts(service_url: str, client: httpx.Client) -> None:
    run = filled(client)
    with RewardClient(service_url, run=run, patience_s=10.0) as ours:
        assert [each["question_id"] for each in ours.questions(most=3)] == ["q4", "q5", "q3"]
        assert ours.questions(sort="share", run=run) == tuple(questions(client, run, sort="share")["questions"])
        assert [each["step"] for each in ours.series()] == list(range(5))
        found, cursor = [], None
        while True:
            page = ours.cohorts_page(cursor, most=7)
            assert len(page.items) <= 7
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
        assert {(each["question_id"], each["step"]) for each in found} == {
            (f"q{question}", number) for question in range(6) for number in range(5)
        }
        assert len(found) == 30
        with pytest.raises(InvalidRequest):
            ours.questions(sort="age")
        with pytest.raises(NotFound):
            ours.series("never-made")


def test_of_a_long_answer_a_digest_is_kept_and_equal_texts_are_equal(client: httpx.Client) -> None:
    run = made(client)
    long = "x_{" + "1" * 300 + "}"
    for number, answer in enumerate([long, long, long + "+1"]):
        got = step(client, run, number, voted(answer))
    assert got["rewards"][0] == 1 - 0.5 * 0.5
    (question,) = questions(client, run)["questions"]
    kept = [label["answer"] for label in question["labels"]["original"]]
    assert kept[0] == kept[1] != kept[2]
    assert all(answer.startswith("sha256:") and len(answer) < 50 for answer in kept)


def test_a_step_that_is_settled_late_sees_the_steps_before_it(client: httpx.Client) -> None:
    run = made(client)
    for number, answer in ((1, "1"), (5, "2"), (3, "1")):
        got = step(client, run, number, voted(answer))
    assert got["rewards"][0] == 1.0
    (question,) = questions(client, run)["questions"]
    assert [label["step"] for label in question["labels"]["original"]] == [1, 3, 5]
