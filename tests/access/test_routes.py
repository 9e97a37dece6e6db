"""Every route, with every scope, and with a key for other runs: the table of who may ask what."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from co_rewarding_schema.methods import METHODS

from reward_service.api.access.route_rules import RULES
from reward_service.api.app import ApiService
from reward_service.dashboard.files import page_files
from reward_service.domain.access import Scope
from reward_service.settings import Settings
from tests.access.keys_files import bearer, entry, written
from tests.api.paraphrase_jobs import questions
from tests.support.service import pair, running

RUN = "team-a.x"
SETTINGS = {"method": "majority-voting", "group_size": 2}
FILE: dict[str, Any] = {"name": "model.safetensors", "size": 73, "sha256": sha256(b"none").hexdigest()}
TRUTH = {"query": ["p \\boxed{4}"], "prompts": ["p"], "labels": ["4"]}


class Row(NamedTuple):
    """A request to a route: whose scopes open it (r, s, t, a; `-`: whoever comes), and what another team's key gets."""

    scopes: str
    others: str
    path: str = ""
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = {}


OTHER_RUN, FILTERED, SAME = "other-run", "filtered", "same"
ROLLOUTS = {"run": RUN, "step": 1, "rollouts": pair("q", ["1", "1"], ["1", "2"])}
ASKED = {"run": RUN, "questions": questions(1), "prompts": ["reword"]}
TABLE = {
    "GET /health": Row("-", SAME),
    "GET /ready": Row("-", SAME),
    "GET /version": Row("-", SAME),
    "GET /docs": Row("rsta", SAME),
    "GET /redoc": Row("rsta", SAME),
    "GET /openapi.json": Row("rsta", SAME),
    "GET /docs/files": Row("rsta", SAME, "/docs/files/favicon.png"),
    "GET /metrics": Row("r", OTHER_RUN),
    "PUT /v1/runs/{run}": Row("sa", OTHER_RUN, json=SETTINGS),
    "GET /v1/runs": Row("r", FILTERED),
    "GET /v1/runs/{run}": Row("rst", OTHER_RUN),
    "GET /v1/runs/{run}/quarantine": Row("r", OTHER_RUN),
    "DELETE /v1/runs/{run}/quarantine/{question_id:path}": Row("a", OTHER_RUN, f"/v1/runs/{RUN}/quarantine/a/b"),
    "GET /v1/runs/{run}/questions": Row("r", OTHER_RUN),
    "GET /v1/runs/{run}/series": Row("r", OTHER_RUN),
    "GET /v1/runs/{run}/cohorts": Row("r", OTHER_RUN),
    "GET /v1/runs/{run}/events": Row("r", OTHER_RUN),
    "GET /v1/events": Row("r", FILTERED),
    "GET /v1/cohorts": Row("r", OTHER_RUN, f"/v1/cohorts?question_id=q&run={RUN}"),
    "GET /v1/cohorts/{cohort}": Row("r", OTHER_RUN),
    "POST /v1/rewards": Row("s", OTHER_RUN, json=ROLLOUTS),
    "POST /v1/rollouts": Row("s", OTHER_RUN, json=ROLLOUTS),
    "GET /v1/rewards/{ticket}": Row("s", OTHER_RUN),
    "POST /get_reward": Row("s", OTHER_RUN, f"/get_reward?run={RUN}", TRUTH),
    "POST /v1/remote_rm": Row(
        "s", OTHER_RUN, f"/v1/remote_rm?run={RUN}", {"prompt": "p", "response": "4", "label": "4"}
    ),
    "GET /v1/teacher": Row("rt", OTHER_RUN, f"/v1/teacher?run={RUN}"),
    "POST /v1/teacher/updates": Row("t", OTHER_RUN, json={"run": RUN, "step": 1, "path": f"{RUN}.step-1"}),
    "POST /v1/teacher/prefetch": Row("t", OTHER_RUN, json={"run": RUN, "questions": []}),
    "POST /v1/teacher/uploads": Row("t", OTHER_RUN, json={"run": RUN, "step": 1, "files": [FILE]}),
    "GET /v1/teacher/uploads/{upload}": Row("t", OTHER_RUN),
    "DELETE /v1/teacher/uploads/{upload}": Row("t", OTHER_RUN),
    "PATCH /v1/teacher/uploads/{upload}/{name}": Row(
        "t", OTHER_RUN, content=b"x", headers={"content-type": "application/octet-stream", "upload-offset": "0"}
    ),
    "POST /v1/paraphrases": Row("sa", OTHER_RUN, json=ASKED),
    "POST /v1/paraphrases/jobs": Row("a", OTHER_RUN, json=ASKED),
    "GET /v1/paraphrases/jobs": Row("ra", FILTERED),
    "GET /v1/paraphrases/jobs/{job}": Row("ra", OTHER_RUN),
    "GET /v1/paraphrases/jobs/{job}/results": Row("ra", OTHER_RUN),
    "POST /v1/paraphrases/jobs/{job}/pause": Row("a", OTHER_RUN),
    "POST /v1/paraphrases/jobs/{job}/resume": Row("a", OTHER_RUN),
    "POST /v1/paraphrases/jobs/{job}/cancel": Row("a", OTHER_RUN),
    "DELETE /v1/paraphrases/jobs/{job}": Row("a", OTHER_RUN),
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("keys")
    every = [scope.value for scope in Scope]
    keys = written(
        folder / "keys.toml",
        *(entry(scope, [scope], [RUN.partition(".")[0] + "."]) for scope in every),
        entry("everything", every),
        entry("others", every, ["team-b."]),
    )
    with running(api_keys_file=keys, weights_root=folder) as supervisor:
        yield supervisor.url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30.0) as client:
        yield client


def things(client: httpx.Client) -> dict[str, str]:
    """Something of every kind, of the run of team A."""
    every = bearer("everything")
    client.put(f"/v1/runs/{RUN}", json=SETTINGS, headers=every).raise_for_status()
    ticket = client.post("/v1/rollouts", json=ROLLOUTS, headers=every).raise_for_status().json()["ticket"]
    job = client.post("/v1/paraphrases/jobs", json=ASKED, headers=every).raise_for_status().json()["job"]
    declared = {"run": RUN, "step": 1, "files": [{**FILE, "sha256": sha256(uuid4().bytes).hexdigest()}]}
    upload = client.post("/v1/teacher/uploads", json=declared, headers=every).raise_for_status().json()["upload"]
    return {"run": RUN, "ticket": ticket, "cohort": f"{RUN}~5f1c0a2b9d3e4f60718293a4", "job": job, "upload": upload}


def asked(client: httpx.Client, route: str, things: Mapping[str, str], headers: Mapping[str, str]) -> httpx.Response:
    """The answer to a request of the table; of a stream, its beginning."""
    row = TABLE[route]
    method, path = route.split(" ")
    path = row.path or path.format(**things, name=FILE["name"])
    sent = client.build_request(method, path, json=row.json, content=row.content, headers={**row.headers, **headers})
    answer = client.send(sent, stream=True)
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        answer.read()
    answer.close()
    return answer


def kind_of(answer: httpx.Response) -> str | None:
    if answer.status_code not in (401, 403):
        return None
    return answer.json()["type"].rpartition(":")[2]


def test_each_route_of_the_application_is_in_both_tables() -> None:
    service = ApiService(Settings(redis_url="redis://127.0.0.1:9"))
    described = {
        f"{method.upper()} {path}" for path, operations in service.openapi()["paths"].items() for method in operations
    }
    beside = {"GET /docs", "GET /redoc", "GET /openapi.json", "GET /docs/files"}
    one = {route.replace(":path", "") for route in RULES}
    assert one == described | beside
    assert RULES.keys() == TABLE.keys()


@pytest.mark.parametrize("route", TABLE)
def test_a_route_is_opened_by_its_scopes_and_for_the_runs_of_the_key(client: httpx.Client, route: str) -> None:
    row, there = TABLE[route], things(client)
    open_to_all = row.scopes == "-"
    assert kind_of(asked(client, route, there, {})) == (None if open_to_all else "no-key")
    assert kind_of(asked(client, route, there, bearer("nobody"))) == (None if open_to_all else "wrong-key")
    refusal = row.others if row.others == OTHER_RUN else None
    assert kind_of(asked(client, route, there, bearer("others"))) == refusal
    of_all_runs = route == "GET /metrics"
    for scope in sorted(Scope, key=lambda each: each[0] in row.scopes):  # those first that change nothing
        may = open_to_all or scope[0] in row.scopes
        expected = None if may else "no-scope"
        assert kind_of(asked(client, route, there, bearer(scope))) == (OTHER_RUN if may and of_all_runs else expected)
    assert kind_of(asked(client, route, there, bearer("everything"))) is None


def test_the_files_of_the_page_need_no_key(client: httpx.Client) -> None:
    assert {client.get(path).status_code for path in page_files()} == {200}


def test_lists_hold_the_runs_of_the_key(client: httpx.Client) -> None:
    there = things(client)
    client.put("/v1/runs/team-b.y", json=SETTINGS, headers=bearer("others")).raise_for_status()

    def runs(name: str, limit: int = 1) -> set[str]:
        found: set[str] = set()
        cursor: dict[str, str] = {}
        while True:
            page = client.get("/v1/runs", params={"limit": limit} | cursor, headers=bearer(name)).json()
            assert len(page["runs"]) <= limit
            found |= {each["run"] for each in page["runs"]}
            if page["cursor"] is None:
                return found
            cursor = {"cursor": page["cursor"]}

    assert runs("others") == {"team-b.y"}
    assert RUN in runs("read")
    assert "team-b.y" not in runs("read")
    assert {RUN, "team-b.y"} <= runs("everything", 100)

    def jobs(name: str) -> set[str]:
        return {each["job"] for each in client.get("/v1/paraphrases/jobs", headers=bearer(name)).json()["jobs"]}

    assert jobs("others") == set()
    assert there["job"] in jobs("read")

    def streamed(name: str) -> str:
        with client.stream("GET", "/v1/events", headers=bearer(name)) as stream:
            pieces = stream.iter_text()
            told = ""
            while "event: seen" not in told or "event: runs" not in told:
                told += next(pieces)
            return told

    assert "team-b.y" in streamed("others")
    assert RUN not in streamed("others")
    assert "team-b.y" not in streamed("read")


def test_a_job_of_another_team_takes_no_idempotency_key(client: httpx.Client) -> None:
    things(client)
    client.put("/v1/runs/team-b.x", json=SETTINGS, headers=bearer("others")).raise_for_status()
    named = {"idempotency-key": uuid4().hex}
    jobs = [
        client.post("/v1/paraphrases/jobs", json={**ASKED, "run": run}, headers={**named, **bearer(key)})
        for run, key in (("team-b.x", "others"), (RUN, "everything"), (RUN, "everything"))
    ]
    first, second, again = (answer.raise_for_status().json()["job"] for answer in jobs)
    assert first != second == again


def test_the_evaluation_of_a_run_belongs_to_that_run(client: httpx.Client) -> None:
    things(client)
    sent = {
        "run": RUN,
        "evaluate": True,
        "wait_s": 20,
        "rollouts": [{"question_id": "e", "response": "4", "ground_truth": "4"}],
    }
    assert client.post("/v1/rewards", json=sent, headers=bearer("score")).status_code == 200
    own = {**sent, "run": f"{RUN}.evaluation"}
    assert client.post("/v1/rewards", json=own, headers=bearer("score")).status_code == 200
    assert client.get(f"/v1/runs/{RUN}.evaluation", headers=bearer("read")).status_code == 200
    assert kind_of(client.post("/v1/rewards", json=own, headers=bearer("others"))) == OTHER_RUN
    label = {
        "query": ["p \\boxed{4}"],
        "prompts": ["p"],
        "labels": ['{"question_id": "e", "run": "team-a.x", "evaluate": true}'],
    }
    assert kind_of(client.post("/get_reward?run=team-b.y", json=label, headers=bearer("others"))) == OTHER_RUN


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("team-a.x.step-1", True),
        ("team-a.y/step-1", True),
        (f"uploads/team-a.x.step-1.{'0' * 32}", True),
        ("step-1", False),
        ("team-b.x.step-1", False),
        (f"uploads/team-b.x.step-1.{'0' * 32}", False),
        ("uploads", False),
        ("uploads/uploads/team-a.x.step-1", False),
    ],
)
def test_weights_are_of_the_keys_own_runs(client: httpx.Client, path: str, own: bool) -> None:
    """A key that could name any folder would teach from another team's weights, and have an upload of theirs removed.

    There are no such folders here: what a key may name is 422.
    """
    things(client)
    sent = {"run": RUN, "step": 1, "path": path}
    answer = client.post("/v1/teacher/updates", json=sent, headers=bearer("teach"))
    assert (answer.status_code, kind_of(answer)) == ((422, None) if own else (403, OTHER_RUN)), answer.text
    assert client.post("/v1/teacher/updates", json=sent, headers=bearer("everything")).status_code == 422


def test_a_path_that_leaves_the_keys_own_folder_leads_nowhere(client: httpx.Client) -> None:
    things(client)
    sent = {"run": RUN, "step": 1, "path": "team-a.x/../team-b.x.step-1"}
    answer = client.post("/v1/teacher/updates", json=sent, headers=bearer("teach"))
    assert answer.status_code == 422
    assert "'..'" in answer.json()["detail"]


def test_peers_are_the_keys_own_runs_unless_another_has_named_them(client: httpx.Client) -> None:
    settings: dict[str, Any] = {"peers": ["team-b.y"]}
    for run in ("team-b.y", "team-a.peered"):
        client.put(f"/v1/runs/{run}", json=SETTINGS, headers=bearer("everything")).raise_for_status()
    settings["method"] = next(name for name, method in METHODS.items() if method.needs_peers)
    refused = client.put("/v1/runs/team-a.peered", json=settings, headers=bearer("score"))
    assert kind_of(refused) == OTHER_RUN
    client.put("/v1/runs/team-a.peered", json=settings, headers=bearer("everything")).raise_for_status()
    again = client.put("/v1/runs/team-a.peered", json=settings | {"group_size": 4}, headers=bearer("score"))
    assert again.status_code == 200, again.text
