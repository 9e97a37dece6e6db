"""OpenRLHF's and slime's wire formats."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.service import assert_problem


def openrlhf(client: httpx.Client, response: str, label: object, prompt: str = "Q: ", **params: str) -> dict[str, Any]:
    body = {"query": [prompt + response], "prompts": [prompt], "labels": [label]}
    answer = client.post("/get_reward", json=body, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def identity(**fields: Any) -> str:
    return json.dumps({"question_id": "q", "view": "original", "n": 3} | fields)


@pytest.fixture
def run(client: httpx.Client) -> str:
    name = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{name}", json={"method": "majority-voting", "group_size": 3})
    return name


def test_a_group_of_singles_meets(client: httpx.Client, run: str) -> None:
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda a: openrlhf(client, f"\\boxed{{{a}}}", identity(run=run)), [4, 4, 5]))
    assert [a["rewards"] for a in answers] == [1.0, 1.0, 0.0]
    assert all(a["rewards"] == a["scores"] for a in answers)
    shared = {"vote_share": pytest.approx(2 / 3), "abstained": 0.0, "undecided": 0.0, "prompt_not_found": 0.0}
    assert answers[0]["extra_logs"] == shared


def test_a_truth_in_the_label_is_compared(client: httpx.Client, run: str) -> None:
    label = identity(run=run, n=1, ground_truth="4")
    assert openrlhf(client, "\\boxed{4}", label)["extra_logs"]["label_matches_truth"] == 1.0


def test_a_truth_is_matched_by_no_label_where_none_was_elected(client: httpx.Client, run: str) -> None:
    """OpenRLHF ends a run in which a name is in the logs of some rollouts of a batch only."""
    label = identity(run=run, n=1, ground_truth="4")
    logs = openrlhf(client, "no answer", label)["extra_logs"]
    assert (logs["abstained"], logs["label_matches_truth"]) == (1.0, 0.0)


def test_many_in_one_request_are_lists_and_none_are_empty(client: httpx.Client, run: str) -> None:
    body = {
        "query": [f"Q\\boxed{{{a}}}" for a in (4, 4, 5)],
        "prompts": ["Q"] * 3,
        "labels": [identity(run=run)] * 3,
    }
    answer = client.post("/get_reward", json=body).json()
    assert answer["rewards"] == answer["scores"] == [1.0, 1.0, 0.0]
    assert answer["extra_logs"]["abstained"] == [0.0] * 3
    none = client.post("/get_reward", json={"query": [], "prompts": [], "labels": []}).json()
    assert (none["rewards"], none["scores"]) == ([], [])


def test_a_cohort_that_abstains_is_zero_for_all_alike(client: httpx.Client, run: str) -> None:
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda text: openrlhf(client, text, identity(run=run)), ["a", "b", "c"]))
    assert [a["rewards"] for a in answers] == [0.0] * 3
    assert {a["extra_logs"]["abstained"] for a in answers} == {1.0}


@pytest.mark.parametrize(("label", "reward"), [("4", 1.0), ("4.0", 1.0), (4, 1.0), (4.0, 1.0), ("5", 0.0), (5, 0.0)])
def test_a_plain_label_is_a_ground_truth(client: httpx.Client, label: object, reward: float) -> None:
    assert openrlhf(client, "\\boxed{4}", label)["rewards"] == reward


def test_an_empty_label_votes_by_prompt(client: httpx.Client, run: str) -> None:
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda a: openrlhf(client, f"\\boxed{{{a}}}", "", "P", run=run), [1, 1, 2]))
    assert [a["rewards"] for a in answers] == [1.0, 1.0, 0.0]


def test_the_answer_is_read_after_the_prompt(client: httpx.Client) -> None:
    assert openrlhf(client, "no box", "4", prompt="Put it into \\boxed{4}.")["rewards"] == 0.0


def test_slime_and_miles(client: httpx.Client, run: str) -> None:
    def send(answer: int) -> dict[str, Any]:
        label = {"question_id": "s", "view": "original", "n": 2, "run": run}
        body = {"prompt": [{"role": "user", "content": "Q"}], "response": f"\\boxed{{{answer}}}", "label": label}
        return client.post("/v1/remote_rm", json=body | {"extra": 1}).json()

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(send, [4, 4]))
    assert [a["reward"] for a in answers] == [1.0, 1.0]
    plain = client.post("/v1/remote_rm", json={"prompt": "Q", "response": "\\boxed{7}", "label": 7}).json()
    assert plain["reward"] == 1.0


@pytest.mark.parametrize("n", [0, -1, "8", 10**9])
def test_a_label_that_names_a_cohort_wrongly_is_told_so(client: httpx.Client, n: object) -> None:
    body = {"query": ["x"], "prompts": [""], "labels": [identity(n=n)]}
    assert_problem(client.post("/get_reward", json=body), 422, "label")


def test_one_wrong_label_among_many_is_a_problem_and_nothing_is_kept(client: httpx.Client, run: str) -> None:
    body = {"query": ["a", "b"], "prompts": ["", ""], "labels": [identity(run=run), identity(veiw="original")]}
    assert_problem(client.post("/get_reward", json=body), 422, "labels[1]", "'veiw'", "'view'")
    assert client.get(f"/v1/runs/{run}").json()["state"]["open"] == 0


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ('{"questionid": "q", "n": 8}', ["'questionid'", "did you mean 'question_id'?"]),
        ('{"question_id": "q", "veiw": "paraphrase"}', ["'veiw'", "did you mean 'view'?"]),
        ('{"question_id": "q", "groundtruth": "4"}', ["'groundtruth'", "did you mean 'ground_truth'?"]),
        ('{"question_id": "q", "n": 8', ["json.dumps"]),
        ("{'question_id': 'q'}", ["json.dumps"]),
        ("{1,2}", ['{"ground_truth":"{1,2}"}']),
        ({"questionid": "q"}, ["did you mean 'question_id'?"]),
        ({"answer": "4"}, ["'answer'", "ground_truth"]),
        (["4"], ["a list"]),
    ],
)
def test_what_is_no_label_is_refused_at_both_doors(client: httpx.Client, label: object, words: list[str]) -> None:
    body = {"query": ["Q\\boxed{4}"], "prompts": ["Q"], "labels": [label]}
    assert_problem(client.post("/get_reward", json=body), 422, "labels[0]", *words)
    slime = {"prompt": "Q", "response": "\\boxed{4}", "label": label}
    assert_problem(client.post("/v1/remote_rm", json=slime), 422, "label: ", *words)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/get_reward", {"query": ["\\boxed{4}"], "prompts": [""], "label": ["4"]}, ["label", "'labels'"]),
        ("/get_reward", {"query": ["\\boxed{4}"], "prompt": ["Q: "], "labels": ["4"]}, ["prompt", "'prompts'"]),
        ("/get_reward", {"query": ["\\boxed{4}"], "labels": ["4"], "run": "r"}, ["run", "label"]),
        ("/v1/remote_rm", {"response": "\\boxed{4}", "labels": "4"}, ["labels", "'label'"]),
        ("/v1/remote_rm", {"response": "\\boxed{4}", "answer": "4"}, ["answer", "'label'"]),
        ("/v1/remote_rm", {"response": "\\boxed{4}", "question_id": "q"}, ["question_id", "label"]),
        ("/v1/remote_rm", {"response": "\\boxed{4}", "ground_truth": "4"}, ["ground_truth", "label"]),
    ],
)
def test_a_name_that_stands_for_another_is_told_at_once(
    client: httpx.Client, path: str, body: dict[str, Any], words: list[str]
) -> None:
    assert_problem(client.post(path, json=body), 422, *words)


@pytest.mark.parametrize("more", [{"metadata": {"a": [1]}}, {"answer": "5"}, {"labels": "5"}, {"reward_model": "x"}])
def test_what_else_a_trainer_sends_is_passed_over(client: httpx.Client, more: dict[str, Any]) -> None:
    answer = client.post("/v1/remote_rm", json={"response": "\\boxed{4}", "prompt": "Q: ", "label": "4"} | more)
    assert answer.json()["reward"] == 1.0


@pytest.mark.parametrize(
    ("label", "status"),
    [
        ({"rollout": 9}, 409),
        ({"run": "there is none"}, 422),
        ({"run": "none"}, 404),
        ({"response": "x" * 50_001}, 413),
    ],
)
def test_nothing_of_a_refused_request_votes(client: httpx.Client, run: str, label: dict[str, Any], status: int) -> None:
    question = f"refused {status}"
    response = label.pop("response", "\\boxed{1}")
    refused = {
        "query": ["P \\boxed{9}", f"P {response}"],
        "prompts": ["P", "P"],
        "labels": [
            identity(question_id=question, run=run, n=2),
            identity(**{"question_id": "z", "run": run, "n": 2} | label),
        ],
    }
    assert_problem(client.post("/get_reward", json=refused), status)
    asked = {"run": run, "question_id": question}
    assert client.get("/v1/cohorts", params=asked).json()["cohorts"] == []


@pytest.mark.parametrize("path", ["/get_reward", "/v1/remote_rm"])
def test_a_rollout_that_nothing_names_votes_with_nobody(client: httpx.Client, path: str) -> None:
    body = {"query": "\\boxed{1}"} if path == "/get_reward" else {"response": "\\boxed{1}"}
    assert_problem(client.post(path, json=body), 422, "prompt")


def test_a_blank_ground_truth_is_none(client: httpx.Client) -> None:
    body = {"query": "\\boxed{4}", "prompts": "Q", "labels": json.dumps({"ground_truth": " "})}
    logs = client.post("/get_reward", json=body).json()["extra_logs"]
    assert logs["abstained"] == 1.0
    assert "label_matches_truth" not in logs
    rollout = {"question_id": "q", "response": "\\boxed{4}", "ground_truth": ""}
    answer = client.post("/v1/rewards", json={"method": "ground-truth", "rollouts": [rollout]}).json()
    assert answer["abstentions"] == ["no-ground-truth"]


def test_empty_lists_are_lists(client: httpx.Client) -> None:
    assert_problem(client.post("/get_reward", json={"query": ["x"], "prompts": ["x"], "labels": []}), 409)
    assert_problem(client.post("/get_reward", json={"query": ["x"], "prompts": [], "labels": ["4"]}), 409)


def test_prompts_are_as_long_as_any_text(client: httpx.Client) -> None:
    long = "p" * 50_001
    assert_problem(client.post("/get_reward", json={"query": long, "prompts": long, "labels": "4"}), 413)
    assert_problem(client.post("/v1/remote_rm", json={"response": "x", "prompt": long, "label": "4"}), 413)
    assert_problem(client.post("/v1/remote_rm", json={"response": "x", "prompt": [long], "label": "4"}), 413)


@pytest.mark.parametrize(
    "text",
    [
        '["7"]',
        "['7']",
        "[{'questionid': 'a'}]",
        '"{\\"questionid\\": 1}"',
        '\ufeff{"questionid": "a"}',
        '```json\n{"questionid": "a"}\n```',
        'b\'{"view": 1, "questionid": 2}\'',
    ],
)
def test_a_text_that_looks_like_a_label_is_no_ground_truth(client: httpx.Client, text: str) -> None:
    body = {"query": "a \\boxed{7}", "prompts": "a ", "labels": text}
    assert_problem(client.post("/get_reward", json=body), 422, "ground_truth")


@pytest.mark.parametrize("text", ["[1,2]", "\\{1,2\\}", "(0, \\{3\\})", "$\\{x\\}$", "'7'", "[a, b]", '"yes"'])
def test_answers_in_brackets_are_ground_truths(client: httpx.Client, text: str) -> None:
    body = {"query": "a \\boxed{7}", "prompts": "a ", "labels": text}
    assert client.post("/get_reward", json=body).json()["extra_logs"]["label_matches_truth"] == 1.0


@pytest.mark.parametrize("truth", [7, 7.0, 1e300, 10**30, "7"])
def test_numbers_are_ground_truths_at_every_door(client: httpx.Client, truth: object) -> None:
    response = f"\\boxed{{{truth}}}"
    rollout = {"question_id": "q", "response": response, "ground_truth": truth}
    assert client.post("/v1/rewards", json={"method": "ground-truth", "rollouts": [rollout]}).json()["rewards"] == [1.0]
    assert client.post("/get_reward", json={"query": response, "prompts": "", "labels": truth}).json()["rewards"] == 1.0
    body = {"response": response, "label": {"ground_truth": truth}}
    assert client.post("/v1/remote_rm", json=body).json()["reward"] == 1.0


def test_a_ground_truth_that_begins_with_a_brace_is_sent_in_an_object(client: httpx.Client) -> None:
    label = json.dumps({"ground_truth": "{1,2}"})
    assert openrlhf(client, "\\boxed{\\{2,1\\}}", label)["rewards"] == 1.0
    body = {"prompt": "Q", "response": "\\boxed{\\{1,2\\}}", "label": {"ground_truth": "{1,2}"}}
    assert client.post("/v1/remote_rm", json=body).json()["reward"] == 1.0


def test_answers_name_the_cohort(client: httpx.Client, run: str) -> None:
    query, labels = [f"Q\\boxed{{{a}}}" for a in (4, 4, 5)], [identity(run=run)] * 3
    many = client.post("/get_reward", json={"query": query, "prompts": ["Q"] * 3, "labels": labels}).json()
    (cohort,) = set(many["cohorts"])
    explained = client.get(f"/v1/cohorts/{cohort}").json()
    assert (explained["run"], explained["question_id"], explained["state"]) == (run, "q", "settled")
    assert len(explained["ballots"]) == 3
    client.put(f"/v1/runs/{run}", json={"method": "majority-voting", "group_size": 1})
    for label in (identity(run=run, n=1, question_id="alone"), identity(run=run, rollout=0, step=1), "4"):
        one = openrlhf(client, "\\boxed{4}", label, run=run)
        assert "cohorts" not in one
        assert client.get(f"/v1/cohorts/{one['cohort']}").json()["ballots"][0]["reward"] == 1.0
    slime = {"prompt": "Q", "response": "\\boxed{7}", "label": 7}
    told = client.post("/v1/remote_rm", json=slime).json()["cohort"]
    assert client.get(f"/v1/cohorts/{told}").json()["ballots"][0]["reward"] == 1.0


def test_uneven_lists_are_refused(client: httpx.Client) -> None:
    assert_problem(client.post("/get_reward", json={"query": ["a", "b"], "prompts": ["a"]}), 409, "2", "1")
