"""One trace from a trainer's request to the teacher's label and the settlement, across processes; none when off."""

import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reward_service.serving.supervisor import Supervisor
from tests.support.rollout_files import boxed
from tests.support.scripted_endpoint import ScriptedEndpoint
from tests.support.service import rollout, running
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Span:
    """A span as its process has written it."""

    name: str
    process: str
    trace: str
    id: str
    parent: str | None
    attributes: dict[str, Any]


@dataclass
class Traced:
    """A service with a teacher whose processes write their spans into one file."""

    supervisor: Supervisor
    file: Path

    def spans(self, trace: str) -> list[Span]:
        """Those of a trace; the last line of the file may be on its way."""
        lines = [line for line in self.file.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [span for span in map(_span, lines) if span.trace == trace]

    def trace(self, trace: str, *names: str) -> dict[str, Span]:
        """The spans of a trace by name, once all of these have been written."""
        wait_until(lambda: {span.name for span in self.spans(trace)} >= {*names})
        return {span.name: span for span in self.spans(trace)}


def _span(line: str) -> Span:
    told = json.loads(line)
    process = told["resource"]["attributes"]["service.name"].removeprefix("co-rewarding-")
    context = told["context"]
    ids = (each and each.removeprefix("0x") for each in (context["trace_id"], context["span_id"], told["parent_id"]))
    return Span(told["name"], process, *ids, told["attributes"])


@pytest.fixture(scope="module")
def traced() -> Iterator[Traced]:
    with (
        ScriptedEndpoint(lambda prompt: boxed("4"), 0.0).serving() as endpoint,
        tempfile.TemporaryDirectory() as folder,
    ):
        file = Path(folder) / "spans.jsonl"
        with running(teacher=f"openai:{endpoint.url}#scripted", traces=f"file:{file}") as supervisor:
            yield Traced(supervisor, file)


@pytest.fixture
def client(traced: Traced) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=traced.supervisor.url, timeout=60.0) as client:
        yield client


def run_of(client: httpx.Client, method: str, **settings: Any) -> str:
    run = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{run}", json={"method": method, **settings}).raise_for_status()
    return run


def parent() -> tuple[str, str, dict[str, str]]:
    """A trace that a trainer has begun: its id, that of the trainer's span, and the header that tells both."""
    trace, span = uuid4().hex, uuid4().hex[:16]
    return trace, span, {"traceparent": f"00-{trace}-{span}-01"}


def test_a_batch_with_a_teacher_is_one_trace_over_four_processes(traced: Traced, client: httpx.Client):
    run = run_of(client, "co-rewarding-ii", group_size=2, alpha_start=1.0, alpha_end=1.0)
    trace, sent, headers = parent()
    rollouts = [
        rollout("q", view, at, "4") | {"prompt": f"What is 2 + 2 ({view})?"}
        for view in ("original", "paraphrase")
        for at in range(2)
    ]
    answer = client.post("/v1/rewards", json={"run": run, "rollouts": rollouts, "wait_s": 30}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["rewards"] == [1.0] * 4
    found = traced.trace(trace, "POST /v1/rewards", "store.submit", "label", "settle", "store.settle_batch")

    request = found["POST /v1/rewards"]
    assert (request.process, request.parent) == ("api", sent)
    assert request.attributes["http.response.status_code"] == 200
    accepted = found["store.submit"]
    assert (accepted.process, accepted.parent) == ("api", request.id)
    assert (found["label"].process, found["label"].parent) == ("teacher", accepted.id)
    assert found["label"].attributes["co_rewarding.question"] == "q"
    settled = found["settle"]
    assert (settled.process, settled.parent) == ("worker", accepted.id)
    assert settled.attributes["co_rewarding.run"] == run
    assert found["store.settle_batch"].parent == settled.id


def test_a_single_rollout_goes_on_in_the_settlement_of_its_cohort(traced: Traced, client: httpx.Client):
    run = run_of(client, "majority-voting", group_size=2)
    trace, _, headers = parent()
    label = json.dumps({"run": run, "question_id": "q", "view": "original", "n": 2})

    def ask(headers: dict[str, str]) -> httpx.Response:
        body = {"query": [f"What is 2 + 2? {boxed('4')}"], "prompts": ["What is 2 + 2? "], "labels": [label]}
        return client.post("/get_reward", json=body, headers=headers)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(ask, [headers, headers]))
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    found = traced.trace(trace, "POST /get_reward", "store.place_all", "settle", "store.settle_cohort")
    assert found["settle"].process == "worker"


def test_a_refusal_is_told_by_its_span(traced: Traced, client: httpx.Client):
    trace, _, headers = parent()
    assert client.post("/v1/rewards", json={"rollouts": [{}]}, headers=headers).status_code == 422
    found = traced.trace(trace, "POST /v1/rewards")
    assert found["POST /v1/rewards"].attributes["http.response.status_code"] == 422


class Collector(ThreadingHTTPServer):
    """Takes spans by OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), CollectorHandler)
        self.spans: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class CollectorHandler(BaseHTTPRequestHandler):
    """Notes the process and the name of each span."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.path == "/v1/traces"
        sent = ExportTraceServiceRequest.FromString(zlib.decompress(body, 31) if body[:2] == b"\x1f\x8b" else body)
        for each in sent.resource_spans:
            (process,) = (told.value.string_value for told in each.resource.attributes if told.key == "service.name")
            names = [span.name for scope in each.scope_spans for span in scope.spans]
            self.server.spans += [(process.removeprefix("co-rewarding-"), name) for name in names]  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing."""


def test_a_collector_gets_the_spans_of_a_service_that_stops_at_once(monkeypatch: pytest.MonkeyPatch):
    with Collector() as collector, ThreadPoolExecutor(1) as pool:
        pool.submit(collector.serve_forever)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")  # not before the end
        try:
            with running(traces="otlp") as supervisor:
                body = {"rollouts": [rollout("q", view, 0, "4") for view in ("original", "paraphrase")]}
                assert httpx.post(f"{supervisor.url}/v1/rewards", json=body, timeout=30.0).status_code == 200
                assert collector.spans == []
        finally:
            collector.shutdown()
    assert {("api", "POST /v1/rewards"), ("api", "store.submit"), ("worker", "settle")} <= {*collector.spans}


OFF = """
import asyncio, sys
from reward_service.api.access.keyring import Keyring
from reward_service.api.services import open_services
from reward_service.background import Background
from reward_service.domain.access import AccessList
from reward_service.serving import api_process, worker_process
from reward_service.settings import Settings
from reward_service.teaching import teacher
from reward_service.telemetry import Metrics

async def main():
    settings, ring = Settings(redis_url="redis://127.0.0.1:9"), Keyring(AccessList())
    async with open_services(settings, Metrics(), Background(), ring) as services:
        wrapped = {"answer", "hold", "submit", "join", "place_all"} & (
            vars(services.hot).keys() | vars(services.cohorts).keys() | vars(services.labels).keys()
        )
        ours = "opentelemetry.exporter", "reward_service.tracing"
        print(sorted(wrapped), [name for name in sys.modules if name.startswith(ours)])

asyncio.run(main())
"""


def test_where_nothing_is_traced_nothing_is_wrapped_or_imported():
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CO_REWARDING_")}
    done = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, check=True, env=plain, cwd=ROOT)
    assert done.stdout == "[] []\n"


def test_traces_without_the_extra_are_refused_in_a_line():
    program = "import sys; sys.modules['opentelemetry.sdk'] = None; from reward_service.__main__ import main; main()"
    words = [sys.executable, "-c", program, "serve", "--port", "0"]
    environment = os.environ | {"CO_REWARDING_TRACES": "otlp"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    assert done.returncode == 2
    assert "traces needs opentelemetry.sdk, which the extra 'otel' installs" in done.stderr
    assert "Traceback" not in done.stderr
