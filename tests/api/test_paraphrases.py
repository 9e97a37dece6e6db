"""Paraphrases through a served application, written by a paraphraser that has a script for a model."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from co_rewarding_client import Question as Asked
from co_rewarding_client import RewardClient
from pyarrow.parquet import read_table

from reward_service.domain.paraphrases.rewriting import Question
from reward_service.serving.supervisor import Supervisor
from tests.api.paraphrase_jobs import JOBS, as_lines, as_parquet, done, made, questions, results, rows
from tests.support.scripted_rewriter import ScriptedRewriter, apples, in_other_words, paraphrasing
from tests.support.service import assert_problem, running


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("questions")


@pytest.fixture(scope="module")
def service(root: Path) -> Iterator[Supervisor]:
    with running(api_processes=2, paraphrase_root=root, max_wait_s=1.0, max_paraphrase_jobs=30) as supervisor:
        yield supervisor


@pytest.fixture
def client(service: Supervisor) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30.0) as client:
        yield client


@pytest.fixture
def at_work(service: Supervisor) -> Iterator[ScriptedRewriter]:
    with paraphrasing(service.redis_url, ScriptedRewriter()) as rewriter:
        yield rewriter


def scripted(question: Question) -> str:
    """A copy, another number, or a good paraphrase, as the id says."""
    match question.question_id.partition("/")[0]:
        case "copy":
            return question.question
        case "wrong":
            return in_other_words(question).replace("3", "7")
        case _:
            return in_other_words(question)


def test_without_a_paraphraser_it_is_said_what_to_start(client: httpx.Client) -> None:
    answer = client.post("/v1/paraphrases", json={"questions": questions(1)})
    assert_problem(answer, 503, "no paraphraser is running", "co-rewarding paraphraser")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_few_questions_are_rewritten_while_the_caller_waits(client: httpx.Client, service: Supervisor) -> None:
    with paraphrasing(service.redis_url, ScriptedRewriter(scripted)):
        asked = [*questions(2, "good"), *questions(1, "copy"), *questions(1, "wrong")]
        answer = client.post("/v1/paraphrases", json={"questions": asked, "prompts": ["reword"], "seed": 3})
    assert answer.status_code == 200, answer.text
    first, second, copy, wrong = answer.json()["paraphrases"]
    assert [each["question_id"] for each in (first, second, copy, wrong)] == ["good/0", "good/1", "copy/0", "wrong/0"]
    assert (first["accepted"], first["fate"], first["reasons"]) == (True, "rewritten", [])
    assert first["paraphrase"].startswith("There are, in each box, 3 apples.")
    assert (
        first["checks"]["numbers_kept"] is first["checks"]["not_copied"] is first["checks"]["answer_not_leaked"] is True
    )
    assert (copy["accepted"], copy["fate"], copy["paraphrase"]) == (False, "left-out", None)
    assert copy["checks"] == {"parsed": True, "not_copied": False, "marked": True}, "behind it, no other was asked"
    assert wrong["checks"]["numbers_kept"] is False
    assert wrong["checks"]["not_copied"] is True
    assert any(reason.startswith("numbers: ") for reason in wrong["reasons"])
    (candidate,) = wrong["candidates"]
    assert (candidate["prompt"], candidate["accepted"], candidate["reasons"]) == ("reword", False, wrong["reasons"])
    assert "7 apples" in candidate["text"]


def test_a_question_may_pass_as_it_is_and_a_check_may_only_tell(client: httpx.Client, service: Supervisor) -> None:
    with paraphrasing(service.redis_url, ScriptedRewriter(scripted)):
        (asked,) = questions(1, "wrong")
        body = {"questions": [asked], "fallback": "same-again"}
        (passed,) = client.post("/v1/paraphrases", json=body).json()["paraphrases"]
        assert (passed["fate"], passed["paraphrase"], passed["accepted"]) == (
            "passed-through",
            asked["question"],
            False,
        )
        (told,) = client.post("/v1/paraphrases", json=body | {"checks": ["copy", "leak"]}).json()["paraphrases"]
    assert (told["accepted"], told["fate"]) == (True, "rewritten")
    assert told["checks"]["numbers_kept"] is False


def test_the_same_request_again_is_the_same_work(client: httpx.Client, at_work: ScriptedRewriter) -> None:
    body = {"questions": questions(3)}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/paraphrases", json=body), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert [at_work.asked[each["question_id"]] for each in body["questions"]] == [1, 1, 1]
    client.post("/v1/paraphrases", json=body | {"seed": 1})
    assert [at_work.asked[each["question_id"]] for each in body["questions"]] == [2, 2, 2]


def test_the_client_asks_as_the_contract_has_it(service: Supervisor) -> None:
    with (
        paraphrasing(service.redis_url, ScriptedRewriter(scripted)),
        RewardClient(service.url, patience_s=20.0) as client,
    ):
        asked = [Asked(question_id=f"{prefix}/{uuid4().hex}", question=apples(12)) for prefix in ("good", "wrong")]
        truths = {each.question_id: "36" for each in asked}
        good, wrong = client.paraphrase(asked, ground_truths=truths, recipe={"prompts": ["reword"]})
    assert (good.accepted, good.fate, good.checks["numbers_kept"]) == (True, "rewritten", True)
    assert (wrong.paraphrase, wrong.fate, wrong.checks["numbers_kept"]) == (None, "left-out", False)
    assert wrong.reasons[0].startswith("numbers: ")


def test_what_takes_longer_than_the_caller_waits_goes_on(client: httpx.Client, service: Supervisor) -> None:
    go_on = threading.Event()
    tried: list[str] = []

    def held_up(question: Question) -> str:
        tried.append(question.question_id)
        go_on.wait(20)
        return in_other_words(question)

    body = {"questions": questions(2)}
    with paraphrasing(service.redis_url, ScriptedRewriter(held_up, capacity=1)):
        answer = client.post("/v1/paraphrases", json=body | {"wait_s": 0.3})
        assert_problem(answer, 504, "0 of 2 questions are done", "again")
        assert "retry-after" in answer.headers
        go_on.set()
        answer = client.post("/v1/paraphrases", json=body)
    assert answer.status_code == 200, answer.text
    assert tried == [each["question_id"] for each in body["questions"]]


@pytest.mark.parametrize(
    ("media", "written"), [("application/x-ndjson", as_lines), ("application/vnd.apache.parquet", as_parquet)]
)
def test_a_file_as_the_body_becomes_a_job_with_all_its_columns(
    client: httpx.Client, at_work: ScriptedRewriter, media: str, written: Callable[[list[dict[str, Any]]], bytes]
) -> None:
    some = rows(300)
    order = json.dumps({"prompts": ["reword", "scenario"]})
    answer = client.post(JOBS, params={"order": order}, content=written(some), headers={"content-type": media})
    job = made(answer)
    document = done(client, job)
    assert (document["questions"], document["done"], document["making"]) == (300, 300, 0)
    assert (document["source"], document["run"], document["paraphrasers"]) == ("upload", "default", 1)
    assert document["fates"] == {"rewritten": 300}
    assert document["drawn"] == document["accepted"] == {"reword": 300}
    assert document["rejected"] == {}
    found = results(client, job)
    assert [row["question_id"] for row in found] == [row["question_id"] for row in some]
    assert {name: found[7][name] for name in ("level", "points", "share", "hard", "ground_truth")} == {
        name: some[7][name] for name in ("level", "points", "share", "hard", "ground_truth")
    }
    assert found[7]["accepted"] is True
    assert found[7]["candidates"][0]["text"] == found[7]["paraphrase"]
    answer = client.get(f"{JOBS}/{job}/results", params={"format": "parquet"})
    table = read_table(BytesIO(answer.content))
    assert table.column_names[:4] == ["question_id", "question", "paraphrase", "ground_truth"]
    kinds = {field.name: str(field.type) for field in table.schema}
    assert (kinds["level"], kinds["points"], kinds["share"], kinds["hard"]) == (
        "large_string",
        "int64",
        "double",
        "bool",
    )
    assert [json.loads(tags) for tags in table["tags"].to_pylist()] == [row["tags"] for row in some]
    assert table["paraphrase"].to_pylist() == [row["paraphrase"] for row in found]


def test_a_file_in_a_form_becomes_a_job(client: httpx.Client, at_work: ScriptedRewriter) -> None:
    some = [{"problem": row["question"], "answer": 3 * n + 30} for n, row in enumerate(questions(3))]
    order = {"columns": {"question": "problem", "ground_truth": "answer"}}
    answer = client.post(JOBS, files={"file": ("q.jsonl", as_lines(some))}, data={"order": json.dumps(order)})
    job = made(answer)
    done(client, job)
    found = results(client, job)
    assert [(row["question_id"], row["question"], row["ground_truth"]) for row in found] == [
        (str(n + 1), row["problem"], str(row["answer"])) for n, row in enumerate(some)
    ]


def test_the_pairs_leave_out_what_has_no_second_view(client: httpx.Client, service: Supervisor) -> None:
    asked = [*questions(2, "good"), *questions(2, "wrong")]
    with paraphrasing(service.redis_url, ScriptedRewriter(scripted)):
        job = made(client.post(JOBS, json={"questions": asked, "run": "default"}))
        document = done(client, job)
    assert document["fates"] == {"left-out": 2, "rewritten": 2}
    assert document["rejected"]["numbers"] == 2
    assert [row["fate"] for row in results(client, job)] == ["rewritten"] * 2 + ["left-out"] * 2
    answer = client.get(f"{JOBS}/{job}/results", params={"format": "parquet"})
    assert read_table(BytesIO(answer.content))["question_id"].to_pylist() == ["good/0", "good/1"]


def test_a_path_below_the_root_becomes_a_job_and_no_other(
    client: httpx.Client, at_work: ScriptedRewriter, root: Path, tmp_path: Path
) -> None:
    (root / "math").mkdir(exist_ok=True)
    (root / "math" / "q.jsonl").write_bytes(as_lines(questions(2)))
    (tmp_path / "secret.jsonl").write_bytes(as_lines(questions(2)))
    for link, to in ((root / "link.jsonl", tmp_path / "secret.jsonl"), (root / "folder", tmp_path)):
        link.unlink(missing_ok=True)
        link.symlink_to(to)
    job = made(client.post(JOBS, json={"path": "math/q.jsonl"}))
    assert done(client, job)["source"] == "math/q.jsonl"
    outside = ["../secret.jsonl", "math/../../secret.jsonl", str(tmp_path / "secret.jsonl"), "link.jsonl", "."]
    for path in [*outside, "folder/secret.jsonl", "math//q.jsonl", "none.jsonl", "math", ".hidden", "a\x00b", "a\\b"]:
        answer = client.post(JOBS, json={"path": path})
        assert_problem(answer, 422)
        assert str(tmp_path) not in answer.json()["detail"] or path.startswith("/")


def test_a_job_is_paused_resumed_cancelled_and_removed(client: httpx.Client, service: Supervisor) -> None:
    job = made(client.post(JOBS, json={"questions": questions(20)}))
    assert client.get(f"{JOBS}/{job}").json()["state"] == "running"
    assert client.post(f"{JOBS}/{job}/pause").json()["state"] == "paused"
    with paraphrasing(service.redis_url, ScriptedRewriter()):
        other = made(client.post(JOBS, json={"questions": questions(2)}))
        done(client, other)
        assert client.get(f"{JOBS}/{job}").json()["done"] == 0
        assert_problem(client.get(f"{JOBS}/{job}/results"), 409, "0 of 20", "partial=true")
        assert results(client, job, partial=True) == []
        assert client.post(f"{JOBS}/{job}/resume").json()["state"] == "running"
        ended = done(client, job)
    assert ended["ended_at"] >= ended["created_at"]
    assert_problem(client.post(f"{JOBS}/{job}/pause"), 409, "done")
    third = made(client.post(JOBS, json={"questions": questions(2)}))
    assert client.post(f"{JOBS}/{third}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{JOBS}/{third}/cancel").json()["state"] == "cancelled"
    assert_problem(client.post(f"{JOBS}/{third}/resume"), 409, "cancelled")
    listed = [each["job"] for each in client.get(JOBS).json()["jobs"]]
    assert listed[:3] == [third, other, job]
    assert client.delete(f"{JOBS}/{third}").status_code == 204
    for answer in (
        client.get(f"{JOBS}/{third}"),
        client.delete(f"{JOBS}/{third}"),
        client.post(f"{JOBS}/{third}/pause"),
    ):
        assert_problem(answer, 404, third)
    assert third not in [each["job"] for each in client.get(JOBS).json()["jobs"]]


def test_a_key_makes_one_job_of_a_request_that_comes_twice(client: httpx.Client, at_work: ScriptedRewriter) -> None:
    key = {"idempotency-key": uuid4().hex}
    body = {"questions": questions(30)}
    with ThreadPoolExecutor(8) as pool:
        jobs = {made(answer) for answer in pool.map(lambda _: client.post(JOBS, json=body, headers=key), range(8))}
    assert len(jobs) == 1
    done(client, jobs.pop())
    assert {at_work.asked[each["question_id"]] for each in body["questions"]} == {1}
    assert_problem(client.post(JOBS, json={"questions": questions(1)}, headers=key), 409, "Idempotency-Key")
    lines = {"content-type": "application/jsonl", "idempotency-key": uuid4().hex}
    some = as_lines(questions(3))
    assert made(client.post(JOBS, content=some, headers=lines)) == made(client.post(JOBS, content=some, headers=lines))
