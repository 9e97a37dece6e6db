"""POST /v1/rewards and its two halves, by the contract's examples."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest
from co_rewarding_schema.methods import METHODS

from tests.support.service import assert_problem, pair, rollout
from tests.support.waiting import wait_until

SIDES = {"original": ["4", "4", "5", None], "paraphrase": ["4", "5", "5", "5"]}


def post(client: httpx.Client, rollouts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/rewards", json={"rollouts": rollouts} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_batch_is_rewarded_in_order(client: httpx.Client) -> None:
    rollouts = pair("q", SIDES["original"], SIDES["paraphrase"])
    answer = post(client, rollouts, step=12, method="co-rewarding-i")
    assert answer["rewards"] == [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    assert answer["answers"] == ["4", "4", "5", None, "4", "5", "5", "5"]
    assert answer["abstentions"] == [None] * 8
    assert (answer["run"], answer["step"], answer["method"]) == ("default", 12, "co-rewarding-i")
    first = answer["labels"][0]
    assert (first["answer"], first["votes"], first["of"], first["voter"], first["voted_on"]) == (
        "5", 3, 4, "policy", ["paraphrase"],
    )  # fmt: skip
    metrics = answer["metrics"]
    assert metrics["reward_mean"] == 0.25
    assert metrics["answered"] == 7 / 8
    assert metrics["vote_share_mean"] == (3 / 4 + 2 / 4) / 2
    assert "label_accuracy" not in metrics


@pytest.mark.parametrize(
    ("method", "rewards"),
    [
        ("co-rewarding-i", [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
        ("majority-voting", [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
        ("majority-voting-union", [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
        ("ground-truth", [1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
        ("self-certainty", [0.5] * 8),
        ("entropy", [-0.25] * 8),
    ],
)
def test_each_method_rewards_by_its_row(client: httpx.Client, method: str, rewards: list[float]) -> None:
    statistics = {"self_certainty": 0.5, "entropy": 0.25}
    rollouts = [
        each | {"ground_truth": "4", "statistics": statistics}
        for each in pair("q", SIDES["original"], SIDES["paraphrase"])
    ]
    assert post(client, rollouts, method=method)["rewards"] == rewards


def test_every_method_of_the_table_is_answered(client: httpx.Client) -> None:
    assert client.get("/version").json()["methods"] == list(METHODS)
    for name, method in METHODS.items():
        evidence = {"evidence": {"verified": True, "confidence": 0.5}}
        rollouts = [each | evidence for each in pair("q", ["4"], ["4"])]
        answer = client.post("/v1/rewards", json={"rollouts": rollouts, "method": name})
        if method.needs_teacher:
            assert_problem(answer, 409, "teacher", "prompt")
        elif method.needs_peers:
            assert_problem(answer, 422, "peers")
        else:
            assert answer.status_code == 200


def test_abstentions_say_why_and_take_whole_groups(client: httpx.Client) -> None:
    assert post(client, pair("q", ["4", "5"], [None, None]))["abstentions"][:2] == ["no-label"] * 2
    assert post(client, pair("q", ["4"], []), method="ground-truth")["abstentions"] == ["no-ground-truth"]
    none = post(client, pair("q", ["4", "5"], []), method="entropy")
    assert none["abstentions"] == ["no-statistics"] * 2
    assert (none["metrics"]["reward_mean"], none["metrics"]["vote_share_mean"]) == (None, None)
    assert post(client, [])["metrics"]["reward_mean"] is None


@pytest.mark.parametrize("complete", [True, False], ids=["a batch", "a part"])
def test_a_view_without_a_label_names_its_cohort(client: httpx.Client, complete: bool) -> None:
    run = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{run}", json={"method": "co-rewarding-i", "group_size": 2})
    rollouts = pair("lone", ["4", "5"], [None, None]) + pair("both", ["4", "4"], ["4", "4"])
    answer = post(client, rollouts, run=run, complete=complete)

    assert {(label["question_id"], label["view"]) for label in answer["labels"]} == {
        ("lone", "paraphrase"), ("both", "original"), ("both", "paraphrase")
    }  # fmt: skip
    (unlabelled,) = answer["unlabelled"]
    cohort = client.get(f"/v1/cohorts/{unlabelled.pop('cohort')}").json()
    assert unlabelled == {"question_id": "lone", "view": "original", "abstention": "no-label"}
    assert cohort["question_id"] == "lone"
    assert [each["abstention"] for each in cohort["ballots"] if each["view"] == "original"] == ["no-label"] * 2


def test_a_method_without_labels_names_the_cohorts_and_no_abstention(client: httpx.Client) -> None:
    answer = post(client, pair("q", ["4"], ["4"]), method="format")

    assert answer["rewards"] == [1.0, 1.0]
    assert [sorted(each) for each in answer["unlabelled"]] == [["cohort", "question_id", "view"]] * 2
    assert "unlabelled" not in post(client, pair("q", ["4"], ["4"]))


def test_ground_truths_are_compared_and_never_voted(client: httpx.Client) -> None:
    truths = [each | {"ground_truth": "5"} for each in pair("q", ["4", "4"], ["4", "4"])]
    answer = post(client, truths)
    assert answer["rewards"] == [1.0] * 4
    assert answer["metrics"]["label_accuracy"] == 0.0


def test_the_order_of_a_batch_does_not_matter(client: httpx.Client) -> None:
    rollouts = pair("q", SIDES["original"], SIDES["paraphrase"])
    forward = post(client, rollouts, step=1)["rewards"]
    assert post(client, rollouts[::-1], step=1)["rewards"] == forward[::-1]


def test_a_ballot_sent_twice_votes_once(client: httpx.Client) -> None:
    twice = [*pair("q", [], ["4", "5", "5"]), rollout("q", "paraphrase", 0, "4"), rollout("q", "original", 0, "4")]
    answer = post(client, twice)
    assert answer["labels"][0]["answer"] == "5"
    assert answer["labels"][0]["of"] == 3
    assert len(answer["rewards"]) == 5


def test_a_higher_attempt_replaces(client: httpx.Client) -> None:
    again = [*pair("q", ["4"], ["4"]), rollout("q", "paraphrase", 0, "5", attempt=1)]
    answer = post(client, again)
    assert answer["labels"][0]["answer"] == "5"
    assert answer["rewards"][0] == 0.0


def test_one_identity_with_two_contents_is_refused(client: httpx.Client) -> None:
    clash = [rollout("q", "original", 0, "4"), rollout("q", "original", 0, "5")]
    assert_problem(client.post("/v1/rewards", json={"rollouts": clash}), 409, "rollouts[0]", "rollouts[1]")


def test_an_empty_batch_is_rewarded_with_nothing(client: httpx.Client) -> None:
    assert post(client, [])["rewards"] == []


def test_a_prompt_stands_for_a_question(client: httpx.Client) -> None:
    rollouts = [{"prompt": f"What is {n}?", "response": f"\\boxed{{{n}}}"} for n in (1, 1, 2)]
    answer = post(client, rollouts, method="majority-voting")
    assert answer["rewards"] == [1.0] * 3
    assert len(answer["labels"]) == 2
    nameless = client.post("/v1/rewards", json={"rollouts": [{"response": "x"}]})
    assert_problem(nameless, 422, "rollouts[0]", "question_id")


def test_an_idempotency_key_is_remembered(client: httpx.Client) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    body = {"rollouts": pair("q", ["4"], ["4"]), "step": 3}
    first = client.post("/v1/rewards", json=body, headers=key)
    assert client.post("/v1/rewards", json=body, headers=key).content == first.content
    other = client.post("/v1/rewards", json=body | {"step": 4}, headers=key)
    assert_problem(other, 409, "Idempotency-Key")


@pytest.fixture
def run(client: httpx.Client) -> str:
    name = f"run-{uuid4().hex[:8]}"
    assert client.put(f"/v1/runs/{name}", json={"method": "co-rewarding-i", "group_size": 4}).status_code == 200
    return name


def part(client: httpx.Client, run: str, rollouts: list[dict[str, Any]], **more: Any) -> httpx.Response:
    body = {"run": run, "step": 1, "complete": False, "rollouts": rollouts} | more
    return client.post("/v1/rewards", json=body)


def test_parts_of_a_cohort_meet(client: httpx.Client, run: str) -> None:
    rollouts = pair("q", SIDES["original"], SIDES["paraphrase"])
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda each: part(client, run, [each]), rollouts))
    assert [a.json()["rewards"] for a in answers] == [[r] for r in [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]]
    cohorts = {label["cohort"] for a in answers for label in a.json()["labels"]}
    (cohort,) = cohorts
    explained = client.get(f"/v1/cohorts/{cohort}").json()
    assert explained["state"] == "settled"
    assert explained["classes"] == {"4": 3, "5": 4}
    assert len(explained["ballots"]) == 8


def test_a_part_waits_for_the_rest_with_a_ticket(client: httpx.Client, run: str) -> None:
    first = part(client, run, pair("q", SIDES["original"], []), wait_s=0.0)
    assert first.status_code == 202
    going = first.json()
    assert (going["settled"], going["of"]) == (0, 4)
    assert client.get(f"/v1/rewards/{going['ticket']}").json() == going
    assert part(client, run, pair("q", [], SIDES["paraphrase"])).status_code == 200
    done = client.get(f"/v1/rewards/{going['ticket']}", params={"wait_s": 10})
    assert done.json()["rewards"] == [0.0, 0.0, 1.0, 0.0]


def test_submit_and_ask(client: httpx.Client, run: str) -> None:
    body = {"run": run, "step": 1, "complete": False}
    tickets: list[str] = []
    for side in (pair("q", SIDES["original"], []), pair("q", [], SIDES["paraphrase"])):
        accepted = client.post("/v1/rollouts", json=body | {"rollouts": side})
        assert accepted.status_code == 202
        assert accepted.json()["expires_at"].endswith("Z")
        tickets.append(accepted.json()["ticket"])
    rewards = [client.get(f"/v1/rewards/{ticket}?wait_s=10").json()["rewards"] for ticket in tickets]
    assert rewards == [[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]]


def test_a_part_sent_again_votes_once_and_gets_its_rewards(client: httpx.Client, run: str) -> None:
    originals = pair("q", SIDES["original"], [])
    for _ in range(3):
        assert part(client, run, originals, wait_s=0).status_code == 202
    part(client, run, pair("q", [], SIDES["paraphrase"]))
    assert part(client, run, originals).json()["rewards"] == [0.0, 0.0, 1.0, 0.0]
    contradiction = [rollout("other", "original", 0, "4"), rollout("q", "original", 1, "77")]
    told = "rollouts[1], rollout 1 of question 'q' (view original, step 1), was sent before with another answer"
    assert_problem(part(client, run, contradiction), 409, told, "attempt")


def test_a_group_that_has_its_rollouts_is_named(client: httpx.Client, run: str) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    body = {"run": run, "step": 1, "complete": False, "wait_s": 0}
    assert client.post("/v1/rewards", json=body | {"rollouts": pair("q", ["4"] * 4, [])}).status_code == 202
    more = {"question_id": "q", "view": "original", "response": r"\boxed{4}"}
    refused = client.post("/v1/rewards", json=body | {"rollouts": [more]}, headers=key)
    assert_problem(refused, 409, "rollouts[0], a rollout of question 'q' (view original, step 1), is one more", run)


def test_a_step_done_again_is_a_cohort_of_its_own(client: httpx.Client, run: str) -> None:
    part(client, run, pair("q", ["1"] * 4, []), wait_s=0)
    again = [each | {"attempt": 1} for each in pair("q", ["2"] * 4, ["2"] * 4)]
    assert part(client, run, again).json()["rewards"] == [1.0] * 8


def test_an_index_beyond_the_group_is_refused(client: httpx.Client, run: str) -> None:
    assert_problem(part(client, run, [rollout("q", "original", 4, "1")]), 409, "group of 4", "/v1/runs/")


def test_a_deadline_ends_the_wait(client: httpx.Client) -> None:
    run = f"run-{uuid4().hex[:8]}"
    settings = {"method": "co-rewarding-i", "group_size": 2, "cohort_deadline_s": 0.2}
    client.put(f"/v1/runs/{run}", json=settings)
    partial = part(client, run, pair("half", ["4", "5"], ["4"]))
    assert partial.json()["rewards"] == [1.0, 0.0, 1.0]
    alone = part(client, run, pair("lone", ["4", "5"], []))
    assert alone.json()["abstentions"] == ["expired", "expired"]
    late = part(client, run, pair("half", [], ["4", "4"]))
    assert late.json()["rewards"] == [1.0, 1.0]
    state = client.get(f"/v1/runs/{run}").json()["state"]
    assert state == {"settled": 1, "abstained": 1, "open": 0, "waiting_for_teacher": 0, "queued": 0}


def test_runs_are_kept_apart(client: httpx.Client) -> None:
    runs = [f"run-{uuid4().hex[:8]}" for _ in range(2)]
    for run in runs:
        client.put(f"/v1/runs/{run}", json={"method": "majority-voting", "group_size": 2})
        assert part(client, run, pair("q", ["4"], []), wait_s=0).status_code == 202
    assert part(client, runs[0], [rollout("q", "original", 1, "4")]).json()["rewards"] == [1.0]
    assert client.get(f"/v1/runs/{runs[1]}").json()["state"]["open"] == 1


def test_a_run_is_made_changed_and_listed(client: httpx.Client) -> None:
    run = f"run-{uuid4().hex[:8]}"
    made = client.put(f"/v1/runs/{run}", json={"method": "majority-voting", "group_size": 3, "total_steps": 300}).json()
    assert (made["run"], made["group_size"], made["revision"]) == (run, 3, 1)
    assert client.get(f"/v1/runs/{run}").json() == made
    assert client.put(f"/v1/runs/{run}", json={"method": "majority-voting", "group_size": 4}).json()["revision"] == 2
    assert run in [each["run"] for each in client.get("/v1/runs").json()["runs"]]


def test_probes_and_metrics(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json()["workers"] >= 1
    post(client, pair("q", ["4"], ["4"]))

    def counted() -> bool:
        return 'co_rewarding_cohorts_settled_total{state="settled"}' in client.get("/metrics").text

    assert wait_until(counted)
    text = client.get("/metrics").text
    assert 'co_rewarding_requests_total{route="/v1/rewards",status="200"}' in text
    assert 'co_rewarding_waiting{run="default",what="queued"}' in text
    assert client.get("/", follow_redirects=False).headers["content-type"].startswith("text/html")
