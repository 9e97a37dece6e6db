"""What is no paraphrase job, and what is said of it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from reward_service.serving.supervisor import Supervisor
from tests.api.paraphrase_jobs import JOBS, as_lines, made, questions
from tests.support.service import assert_problem, running


@pytest.fixture(scope="module")
def service() -> Iterator[Supervisor]:
    with running(max_paraphrase_questions=500, max_paraphrase_bytes=200_000, max_text_chars=5_000) as supervisor:
        yield supervisor


@pytest.fixture
def client(service: Supervisor) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30.0) as client:
        yield client


def bad(name: str, body: bytes | dict[str, Any], status: int, *words: str, media: str = "application/jsonl") -> Any:
    return pytest.param(body, media, status, words, id=name)


def test_a_form_that_holds_no_job_is_refused(client: httpx.Client) -> None:
    lines = as_lines(questions(1))
    assert_problem(client.post(JOBS, files={"other": ("q.jsonl", lines)}), 422, "`file`")
    assert_problem(client.post(JOBS, files={"file": ("q.jsonl", lines)}, data={"n": "2"}), 422, "`order`")
    assert_problem(client.post(JOBS, files={"file": ("q.jsonl", lines)}, data={"order": "{"}), 400, "order")
    several = [("file", ("q.jsonl", lines)), ("file", ("p.jsonl", lines))]
    assert_problem(client.post(JOBS, files=several), 400, "Too many files")
    large = b'{"question": "a?"}\n' * 100_000
    assert_problem(client.post(JOBS, files={"file": ("q.jsonl", large)}), 413, "200000 bytes")
    body = (part for part in [b"--b\r\n", b"--b--\r\n"])
    answer = client.post(JOBS, content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert_problem(answer, 411, "Content-Length")


@pytest.mark.parametrize(
    ("body", "media", "status", "words"),
    [
        bad("no rows", b"\n", 422, "no rows"),
        bad("empty", b"", 422, "is empty"),
        bad("no JSON", b'{"question": "a?"}\n{"question"', 422, "questions:2", "not JSON"),
        bad("no column", b'{"problem": "a?"}\n', 422, "questions, row 1", "'question'"),
        bad("blank", b'{"question": " "}\n', 422, "blank"),
        bad("same id", b'{"question": "a?", "question_id": "x"}\n' * 2, 422, "same id 'x'"),
        bad("no parquet", b"PAR1nonsense", 422, "parquet"),
        bad("surrogate", b'{"question": "a\\ud800?"}\n', 422, "surrogate"),
        bad("too many", as_lines(questions(501)), 413, "501 questions"),
        bad("too large", b'{"question": "a?"}\n' * 20_000, 413, "200000 bytes"),
        bad("too long", json.dumps({"question": "a" * 5_001}).encode(), 413, "5000 characters"),
        bad("unknown media", b"question,a\n", 415, "Content-Type", media="text/csv"),
    ],
)
def test_files_that_hold_no_job_are_refused(
    client: httpx.Client, body: bytes, media: str, status: int, words: tuple[str, ...]
) -> None:
    before = [each["job"] for each in client.get(JOBS).json()["jobs"]]
    answer = client.post(JOBS, content=body, headers={"content-type": media})
    assert_problem(answer, status, *words)
    assert "/cr-" not in answer.json()["detail"]
    assert [each["job"] for each in client.get(JOBS).json()["jobs"]] == before


@pytest.mark.parametrize("body", [as_lines(questions(2)), b"PAR1nonsense"], ids=["JSON lines", "parquet"])
@pytest.mark.parametrize("media", [None, "application/json", "application/x-www-form-urlencoded"])
def test_a_file_without_its_type_is_told_which_to_say(client: httpx.Client, body: bytes, media: str | None) -> None:
    answer = client.post(JOBS, content=body, headers={} if media is None else {"content-type": media})
    assert_problem(answer, 400, "not JSON", "`content-type: application/jsonl`", "application/vnd.apache.parquet")


def test_what_was_refused_is_gone_and_its_key_is_free(client: httpx.Client) -> None:
    """The last of many questions is too long: those before it were in Redis already."""
    headers = {"content-type": "application/jsonl", "idempotency-key": "refused"}
    lines = as_lines(questions(300))
    long = lines.rstrip(b"\n") + b"\n" + json.dumps({"question": "a" * 5_001}).encode()
    assert_problem(client.post(JOBS, content=long, headers=headers), 413, "5000 characters")
    assert client.post(JOBS, content=lines, headers=headers).status_code == 202


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "one of questions, path and dataset"),
        ({"questions": questions(1), "path": "q.jsonl"}, "one of questions, path and dataset"),
        ({"questions": []}, "questions"),
        ({"questions": questions(1) * 2}, "same id"),
        ({"questions": questions(1), "prompts": ["shout"]}, "no prompt 'shout'"),
        ({"questions": questions(1), "checks": ["nice"]}, "no check 'nice'"),
        ({"questions": questions(1), "tempreature": 1.0}, "tempreature"),
        ({"questions": questions(1), "n": 0}, "n"),
        ({"dataset": "../etc"}, "dataset"),
    ],
)
def test_forms_that_are_none_are_refused(client: httpx.Client, body: dict[str, Any], words: str) -> None:
    assert_problem(client.post(JOBS, json=body), 422, words)


def test_an_unknown_run_an_order_that_is_none_and_unknown_jobs_are_refused(client: httpx.Client) -> None:
    assert_problem(client.post(JOBS, json={"questions": questions(1), "run": "nobody"}), 404, "nobody")
    lines = {"content-type": "application/jsonl"}
    assert_problem(client.post(JOBS, params={"order": "{"}, content=b"{}", headers=lines), 400, "order")
    assert_problem(client.post(JOBS, params={"order": '{"n": 0}'}, content=b"{}", headers=lines), 422, "order", "n")
    for path in ("", "/results"):
        assert_problem(client.get(f"{JOBS}/none{path}"), 404, "none")


def test_jobs_ask_for_a_key_as_all_else_does() -> None:
    with running(api_keys=["key"]) as supervisor, httpx.Client(base_url=supervisor.url) as client:
        for method, path in (("POST", "/v1/paraphrases"), ("POST", JOBS), ("GET", JOBS), ("DELETE", f"{JOBS}/j")):
            assert_problem(client.request(method, path), 401, "key")
        assert client.get(JOBS, headers={"authorization": "Bearer key"}).json() == {"jobs": []}


def test_without_a_root_no_path_is_read_and_too_many_jobs_are_refused() -> None:
    with running(max_paraphrase_jobs=2) as supervisor, httpx.Client(base_url=supervisor.url) as client:
        assert_problem(client.post(JOBS, json={"path": "q.jsonl"}), 501, "CO_REWARDING_PARAPHRASE_ROOT")
        job, _ = (made(client.post(JOBS, json={"questions": questions(1)})) for _ in range(2))
        answer = client.post(JOBS, json={"questions": questions(1)})
        assert_problem(answer, 429, "2 jobs")
        assert "retry-after" in answer.headers
        client.post(f"{JOBS}/{job}/cancel")
        made(client.post(JOBS, json={"questions": questions(1)}))


def test_a_data_set_needs_the_package_that_reads_the_hub(client: httpx.Client) -> None:
    try:
        import datasets  # noqa: F401 # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        answer = client.post(JOBS, json={"dataset": "nobody/nothing", "split": "train"})
        assert_problem(answer, 501, "pip install datasets")
    else:
        pytest.skip("the hub is asked here")
