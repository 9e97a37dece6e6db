"""What Prometheus is told: names, units and values, and that the table in the documentation is what is served."""

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from reward_service.domain.paraphrases.rewriting import Question
from reward_service.serving.supervisor import Supervisor
from reward_service.settings import Settings
from reward_service.store.connecting import connection_to
from reward_service.store.embedded import EmbeddedValkey
from reward_service.store.teachers import AnnouncedWeights, TeacherPresence, TeacherStore
from reward_service.telemetry import registry_of
from tests.support.ports import free_port
from tests.support.scripted_rewriter import ScriptedRewriter, apples, in_other_words, paraphrasing
from tests.support.service import pair, rollout, running
from tests.support.waiting import wait_until

TABLE = Path(__file__).parents[2] / "docs" / "operations.md"
SERIES = re.compile(r"`(co_rewarding_\w+)(?:\{[^`]*\})?`")
SUFFIXES = ("_total", "_created", "_bucket", "_count", "_sum")


@pytest.fixture(scope="module")
def service() -> Iterator[Supervisor]:
    with running() as supervisor:
        yield supervisor


@pytest.fixture
def client(service: Supervisor) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30.0) as client:
        yield client


def values(text: str) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, in the order of the labels' names."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(each.name, *(value for _, value in sorted(each.labels.items()))): each.value for each in samples}


def told(client: httpx.Client) -> dict[tuple[str, ...], float]:
    return values(client.get("/metrics").raise_for_status().text)


def reward(client: httpx.Client, run: str, rollouts: list[dict[str, object]], **more: object) -> None:
    body = {"run": run, "rollouts": rollouts, **more}
    assert client.post("/v1/rewards", json=body).raise_for_status().status_code == 200


def test_how_cohorts_ended_is_told_by_run(client: httpx.Client):
    run = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{run}", json={"method": "majority-voting"}).raise_for_status()
    known = [each | {"ground_truth": "4"} for each in pair("known", ["4", "4", "5"], ["7", "7", None])]
    reward(client, run, known)
    reward(client, run, pair("empty", [None, None], ["3", "3"]))
    expected = {
        ("co_rewarding_rollouts_rewarded_total", run): 8,
        ("co_rewarding_abstentions_total", "no-label", run): 2,
        ("co_rewarding_labels_total", run, "right"): 1,  # 4
        ("co_rewarding_labels_total", run, "wrong"): 1,  # 7
        ("co_rewarding_labels_total", run, "unknown"): 1,  # 3, of which no truth was sent
        ("co_rewarding_label_votes_total", run): 2 + 2 + 2,
        ("co_rewarding_label_ballots_total", run): 3 + 3 + 2,
        ("co_rewarding_cohorts", run, "settled"): 3,  # a view is a cohort where none votes for the other
        ("co_rewarding_cohorts", run, "abstained"): 1,
        ("co_rewarding_cohorts", run, "open"): 0,
    }
    wait_until(lambda: not {name: told(client).get(name) for name in expected}.items() ^ expected.items())


def test_settling_is_timed_from_the_last_ballot(client: httpx.Client):
    before = told(client).get(("co_rewarding_settle_seconds_count",), 0.0)
    reward(client, "default", pair("timed", ["1"], ["1"]))
    wait_until(lambda: told(client)["co_rewarding_settle_seconds_count",] == before + 1)
    assert 0 < told(client)["co_rewarding_settle_seconds_sum",] < 60


def test_what_is_open_is_told(client: httpx.Client):
    run = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{run}", json={"method": "majority-voting", "group_size": 3}).raise_for_status()
    body = {"run": run, "complete": False, "rollouts": [rollout("q", "original", 0, "4")], "step": 1}
    assert client.post("/v1/rollouts", json=body).status_code == 202
    seen = told(client)
    assert seen["co_rewarding_cohorts", run, "open"] == seen["co_rewarding_waiting", run, "open"] == 1
    assert seen["co_rewarding_workers",] == 1
    assert seen["co_rewarding_store_up",] == 1


def test_where_the_teacher_stands_is_told_for_runs_that_have_one(service: Supervisor, client: httpx.Client):
    run = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{run}", json={"method": "co-rewarding-ii", "group_size": 2}).raise_for_status()
    asyncio.run(_stand(service.redis_url, run))
    questions = [{"question_id": "q", "question": "What is 2 + 2?"}]
    client.post("/v1/teacher/prefetch", json={"run": run, "questions": questions}).raise_for_status()
    seen = told(client)
    assert seen["co_rewarding_teacher_version", run] == 3
    assert seen["co_rewarding_teacher_lag_steps", run] == 5 - 3
    assert seen["co_rewarding_teacher_labels", run, "asked"] == 1
    assert seen["co_rewarding_teacher_labels", run, "making"] == 0
    assert seen["co_rewarding_teachers", run, "weights"] == 1
    assert seen["co_rewarding_teachers", run, "nothing"] == 0
    assert ("co_rewarding_teacher_version", "default") not in seen


async def _stand(url: str, run: str) -> None:
    """A teacher at step 3, of a policy at step 5, that waits for weights."""
    connection = connection_to(url)
    teachers = TeacherStore(connection)
    await teachers.announce(run, None, 0.99, AnnouncedWeights(3, "three"))
    await teachers.announce(run, 3, 0.99, AnnouncedWeights(5, "five"))
    await teachers.advance(run, 3, 0.99)
    await teachers.say(run, "a", TeacherPresence("model", 3, 0, "weights"))
    await connection.close()


def test_the_age_of_the_oldest_job_grows_while_nobody_works():
    with running(workers=0, ready=False) as supervisor, httpx.Client(base_url=supervisor.url, timeout=10.0) as client:
        wait_until(lambda: _answers(client))
        for _ in range(2):
            assert client.post("/v1/rollouts", json={"rollouts": pair(uuid4().hex, ["1"], ["1"])}).status_code == 202
        first = told(client)
        assert first["co_rewarding_waiting", "default", "queued"] == 2
        assert first["co_rewarding_workers",] == 0
        wait_until(lambda: told(client)["co_rewarding_oldest_job_seconds", "default"] > 0.2)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.HTTPError:
        return False


def test_a_store_that_is_away_is_told():
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        store = EmbeddedValkey(Path(folder))
        store.start()
        with running(redis_url=store.url, redis_patience_s=0.2) as supervisor:
            store.stop()
            with httpx.Client(base_url=supervisor.url, timeout=30.0) as client:
                wait_until(lambda: told(client)["co_rewarding_store_up",] == 0)


def test_what_the_parts_use_is_told(client: httpx.Client):
    reward(client, "default", pair("q", ["1"], ["1"]))  # a worker is seen once it has counted something
    wait_until(lambda: ("co_rewarding_process_cpu_seconds_total", "worker") in told(client))
    seen = told(client)
    for role in ("api", "worker"):
        assert 0 < seen["co_rewarding_process_cpu_seconds_total", role] < 600
        assert 10e6 < seen["co_rewarding_process_resident_bytes", role] < 1e9
    assert seen["co_rewarding_store_cpu_seconds_total",] > 0
    assert seen["co_rewarding_store_bytes",] > 1e5


@pytest.mark.timeout(300)
def test_cpu_time_never_falls_when_processes_are_killed():
    def cpu_s() -> float:
        with httpx.Client(base_url=supervisor.url, timeout=200.0) as client:
            return told(client)["co_rewarding_process_cpu_seconds_total", role]

    with running() as supervisor:
        for role in ("worker", "api"):
            (pid,) = supervisor.pids(role)
            seen_s = [cpu_s()]
            assert seen_s[0] > 0.2  # its imports alone
            os.kill(pid, signal.SIGKILL)
            while pid in supervisor.pids(role) or not supervisor.pids(role):
                seen_s.append(cpu_s())  # the API's own comes from the next one, when that listens
            seen_s += [cpu_s() for _ in range(20)]
            assert seen_s == sorted(seen_s), role


def test_workers_without_an_api_show_their_sum(service: Supervisor):
    port = free_port()
    workers = Supervisor(Settings(redis_url=service.redis_url, workers=2, metrics_port=port, log_level="ERROR"))
    workers.start(api=False)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10.0) as client:
            wait_until(lambda: told(client).get(("co_rewarding_processes", "worker")) == 2)
            with httpx.Client(base_url=service.url, timeout=30.0) as api:

                def settled_here() -> bool:
                    reward(api, "default", pair(uuid4().hex, ["1"], ["1"]))
                    return told(client).get(("co_rewarding_cohorts_settled_total", "settled"), 0) > 0

                wait_until(settled_here)
    finally:
        workers.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


ELSEWHERE = {"co_rewarding_processes", "co_rewarding_pairs", "co_rewarding_quota_refusals"}
"""Served at a worker's own port; once a pair has been accused (test_quarantine.py); of keys (tests/access)."""


def test_the_table_in_the_documentation_names_what_is_served(client: httpx.Client):
    reward(client, "default", pair("q", [r"\sum_{n} f(n)", "1"], ["1", None]))  # the judge is asked
    assert client.get("/" + "x" * 20_000).status_code == 414  # a connection is closed
    counted = ("co_rewarding_judgements_total{", "co_rewarding_connections_closed_total{")
    wait_until(lambda: all(name in client.get("/metrics").text for name in counted))
    served = {family.name for family in text_string_to_metric_families(client.get("/metrics").text)}
    served = {name for name in served if name.startswith("co_rewarding_")} | ELSEWHERE
    named = {_family(name) for name in SERIES.findall(TABLE.read_text())}
    assert served <= named, f"not in {TABLE.name}: {sorted(served - named)}"
    assert named <= served, f"in {TABLE.name}, and not served: {sorted(named - served)}"


def _family(name: str) -> str:
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def test_what_becomes_of_paraphrase_jobs_is_told(client: httpx.Client, service: Supervisor):
    before = told(client)
    assert before["co_rewarding_paraphrasers",] == before["co_rewarding_paraphrases_total", "failed"] == 0
    asked = [{"question_id": str(n), "question": apples(n + 10)} for n in range(3)]
    job = client.post("/v1/paraphrases/jobs", json={"questions": asked, "prompts": ["reword"]}).json()["job"]
    after = told(client)
    assert after["co_rewarding_paraphrase_jobs", "running"] == 1
    assert after["co_rewarding_paraphrase_questions", "waiting"] == 3
    assert wait_until(lambda: told(client)["co_rewarding_paraphrase_oldest_job_seconds",]) > 0
    client.post(f"/v1/paraphrases/jobs/{job}/pause")
    paused = told(client)
    assert (paused["co_rewarding_paraphrase_jobs", "paused"], paused["co_rewarding_paraphrase_jobs", "running"]) == (
        1,
        0,
    )
    assert paused["co_rewarding_paraphrase_questions", "waiting"] == 0
    client.post(f"/v1/paraphrases/jobs/{job}/resume")

    def script(question: Question) -> str:
        return question.question if question.question_id == "1" else in_other_words(question)

    with paraphrasing(service.redis_url, ScriptedRewriter(script)):
        wait_until(lambda: told(client)["co_rewarding_paraphrases_total", "rewritten"] == 2)
        ended = wait_until(lambda: (now := told(client))["co_rewarding_paraphrases_total", "left-out"] and now)
    assert ended["co_rewarding_paraphrasers",] == 1
    assert ended["co_rewarding_paraphrase_jobs", "running"] == 0
    assert ended["co_rewarding_paraphrase_questions", "making"] == 0
    assert ended["co_rewarding_paraphrase_candidates_total", "reword", "accepted"] == 2
    assert ended["co_rewarding_paraphrase_candidates_total", "reword", "rejected"] == 1
    assert ended["co_rewarding_paraphrase_rejections_total", "copy"] == 1


def test_a_file_that_a_process_has_only_just_made_is_no_fault(tmp_path: Path):
    (tmp_path / "counter_123.db").touch()
    generate_latest(registry_of(str(tmp_path)))  # raises nothing
