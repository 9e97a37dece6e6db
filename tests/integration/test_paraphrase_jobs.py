"""A job of 5,000 questions, and kill -9 of whatever works on it: nothing is lost, and hardly anything is done twice."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from reward_service.api.paraphrases.models import JobOrderForm
from reward_service.api.paraphrases.rendering import outcome_document
from reward_service.domain.paraphrases.rewriting import Question
from reward_service.paraphrasing.model_rewriter import ModelRewriter
from tests.support.scripted_endpoint import ScriptedEndpoint
from tests.support.scripted_generator import ScriptedGenerator
from tests.support.scripted_rewriter import apples, in_other_words
from tests.support.served import CLI, Served
from tests.support.service import running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(600)
JOBS = "/v1/paraphrases/jobs"
CAPACITY = 16
PATIENCE_S = 300.0
ORDER = JobOrderForm.model_validate({"prompts": ["reword", "scenario"]})
QUESTIONS = [Question(f"q/{n}", apples(n), str(3 * n)) for n in range(10, 5_010)]


def rewritten(prompt: str) -> str:
    """Each seventh question is copied unless another scenario is asked for; each eleventh gets another number."""
    text = prompt.rpartition("\n")[2]
    boxes = int(text.split()[-2])
    said = in_other_words(Question("", text))
    if boxes % 11 == 0:
        said = said.replace("3 apples", "4 apples")
    elif boxes % 7 == 0 and prompt.startswith("Say"):
        said = text
    return f"Sure!\n<rewritten>{said}</rewritten>"


def undisturbed() -> list[dict[str, Any]]:
    """What becomes of the questions where nobody is killed."""
    recipe = ORDER.recipe()
    rewriter = ModelRewriter(ScriptedGenerator(lambda prompt, _: [rewritten(prompt.messages[-1].content)]))

    async def all_of_them() -> list[dict[str, Any]]:
        outcomes = [await rewriter.rewrite(question, recipe) for question in QUESTIONS]
        return [msgspec.to_builtins(outcome_document(outcome, recipe)) for outcome in outcomes]

    return asyncio.run(all_of_them())


class Jobs:
    """A service with a paraphraser, which takes jobs; it may be killed and started again."""

    def __init__(self, folder: Path, endpoint: ScriptedEndpoint) -> None:
        told = {"PARAPHRASER_LEASE_S": "1.0", "PARAPHRASER_CAPACITY": str(CAPACITY)}
        environment = {f"CO_REWARDING_{name}": value for name, value in told.items()}
        self.service = Served(folder, "--paraphraser", f"openai:{endpoint.url}#scripted", **environment)
        self.service.start()
        self._client = httpx.Client(base_url=self.service.url, timeout=30.0)

    def stop(self) -> None:
        self.service.stop()
        self._client.close()

    def hand_in(self) -> str:
        rows = [
            {"question_id": q.question_id, "question": q.question, "ground_truth": q.ground_truth} for q in QUESTIONS
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        headers = {"content-type": "application/jsonl"}
        answer = self._client.post(JOBS, params={"order": ORDER.model_dump_json()}, content=lines, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json()["job"]

    def job(self, job: str) -> dict[str, Any]:
        return self.looked(lambda: self._client.get(f"{JOBS}/{job}").raise_for_status().json())

    def results(self, job: str) -> list[dict[str, Any]]:
        wait_until(lambda: self.job(job)["state"] == "done", PATIENCE_S, every_s=0.25)
        answer = self._client.get(f"{JOBS}/{job}/results").raise_for_status()
        return [json.loads(line) for line in answer.text.splitlines()]

    def looked(self, look: Callable[[], Any]) -> Any:
        """What is seen once the service is there (again)."""

        def seen() -> Any:
            with contextlib.suppress(httpx.TransportError, httpx.HTTPStatusError):
                return look()
            return None

        return wait_until(seen, PATIENCE_S, every_s=0.1)


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(rewritten, latency_s=0.02).serving() as endpoint:
        yield endpoint


@pytest.fixture
def jobs(endpoint: ScriptedEndpoint) -> Iterator[Jobs]:
    folder = Path(tempfile.mkdtemp(prefix="cr-"))  # not pytest's: the path of a Unix socket is short
    jobs = Jobs(folder, endpoint)
    yield jobs
    jobs.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_killed_in_the_middle_a_job_is_taken_up_where_it_was(jobs: Jobs, endpoint: ScriptedEndpoint) -> None:
    job = jobs.hand_in()
    wait_until(lambda: len(endpoint.asked) > 1_000, PATIENCE_S)
    jobs.service.kill("paraphrasing.paraphraser")
    wait_until(lambda: len(endpoint.asked) > 2_000, PATIENCE_S)
    jobs.service.kill("valkey", "api_process")
    wait_until(lambda: len(endpoint.asked) > 3_500, PATIENCE_S)
    assert jobs.job(job)["state"] == "running"
    jobs.service.kill()
    jobs.service.start()
    results = jobs.results(job)
    expected = undisturbed()
    assert [{name: row[name] for name in expected[0]} for row in results] == expected
    fates = [row["fate"] for row in results]
    assert fates.count("left-out") == sum(int(row["question"].split()[-2]) % 11 == 0 for row in results)
    assert fates.count("rewritten") + fates.count("left-out") == len(QUESTIONS)
    assert max(endpoint.asked.values()) <= 2, endpoint.asked.most_common(3)
    again = sum(times - 1 for times in endpoint.asked.values())
    assert again <= 3 * 2 * CAPACITY, "three kills, and what was under way at each, in two rounds at most"
    assert again > 0, "something was under way"


def test_a_paraphraser_of_its_own_serves_a_service_elsewhere(endpoint: ScriptedEndpoint) -> None:
    asked = {"questions": [{"question_id": "q", "question": apples(12)}], "prompts": ["reword"]}
    with running() as supervisor, httpx.Client(base_url=supervisor.url, timeout=30.0) as client:

        def answered() -> int:
            return client.post("/v1/paraphrases", json=asked).status_code

        assert answered() == 503
        command = [CLI, "paraphraser", "--redis-url", supervisor.redis_url, "--model", f"openai:{endpoint.url}#m"]
        process = subprocess.Popen(command)
        try:
            wait_until(lambda: answered() == 200, 60.0, every_s=0.1)
        finally:
            process.terminate()
        assert process.wait(30) == 0
        asked["prompts"] = ["scenario"]
        assert answered() == 503, "it has said that it leaves"
    assert set(endpoint.asked.values()) == {1}


def test_a_paraphraser_without_the_redis_of_a_service_says_what_is_missing() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CO_REWARDING_REDIS_URL"}
    command = [CLI, "paraphraser", "--model", "openai:http://127.0.0.1:1/v1#m"]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert "--redis-url" in refused.stderr
