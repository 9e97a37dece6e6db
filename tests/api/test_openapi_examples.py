"""Each route of the OpenAPI document takes the example that the document gives for it."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from reward_service.serving.supervisor import Supervisor
from tests.api.test_openapi_fields import document
from tests.support.scripted_rewriter import ScriptedRewriter, paraphrasing
from tests.support.service import running
from tests.support.waiting import wait_until
from tests.support.weight_folders import entry, raw_file

OPERATIONS = {
    (method, path): operation for path, item in document()["paths"].items() for method, operation in item.items()
}
RUN, QUESTION = "qwen3-8b-math", "math/17"
WEIGHTS = raw_file({"w": entry(0, 4)}, bytes(4))
ORDER = [
    ("put", "/v1/runs/{run}"),
    ("post", "/v1/rewards"),
    ("post", "/v1/rollouts"),
    ("get", "/v1/rewards/{ticket}"),
    ("post", "/get_reward"),
    ("post", "/v1/remote_rm"),
    ("get", "/v1/cohorts"),
    ("get", "/v1/cohorts/{cohort}"),
    ("delete", "/v1/runs/{run}/quarantine/{question_id}"),
    ("post", "/v1/teacher/uploads"),
    ("patch", "/v1/teacher/uploads/{upload}/{name}"),
    ("get", "/v1/teacher/uploads/{upload}"),
    ("delete", "/v1/teacher/uploads/{upload}"),
    ("post", "/v1/paraphrases/jobs"),
    ("get", "/v1/paraphrases/jobs/{job}"),
    ("post", "/v1/paraphrases/jobs/{job}/pause"),
    ("post", "/v1/paraphrases/jobs/{job}/resume"),
]
"""What makes something comes before what reads it; the other routes come between, and those below at the end."""
LAST = [
    ("get", "/v1/paraphrases/jobs/{job}/results"),
    ("post", "/v1/paraphrases/jobs/{job}/cancel"),
    ("delete", "/v1/paraphrases/jobs/{job}"),
]
ENDED = {("post", "/v1/paraphrases/jobs/{job}/pause"), ("post", "/v1/paraphrases/jobs/{job}/resume"), LAST[1]}
"""A job of one question may be done already: 409 says so."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    root = tmp_path_factory.mktemp("weights")
    folder = root / f"{RUN}.step-12.0"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    with running(weights_root=root) as supervisor, paraphrasing(supervisor.redis_url, ScriptedRewriter()):
        yield supervisor


def body_of(operation: dict[str, Any]) -> Any:
    """The example of a JSON body; None for a route without one."""
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return None
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    (example,) = schema["examples"]
    return example


def parameters_of(operation: dict[str, Any], place: str) -> dict[str, Any]:
    found = {}
    for each in operation.get("parameters", ()):
        given = [value for value in each["schema"].get("examples", ()) if value is not None]
        if each["in"] == place and given:
            found[each["name"]] = given[0]
    return found


def test_every_body_has_an_example() -> None:
    bodies = {key: body_of(each) for key, each in OPERATIONS.items() if "requestBody" in each}
    assert {key for key, body in bodies.items() if body is None} == {("patch", "/v1/teacher/uploads/{upload}/{name}")}


def test_each_route_takes_its_example(service: Supervisor) -> None:
    others = [key for key in OPERATIONS if key not in {*ORDER, *LAST}]
    learned: dict[str, str] = {}
    with httpx.Client(base_url=service.url, timeout=60.0) as client:
        for method, path in [*ORDER, *others, *LAST]:
            answer = sent(client, method, path, learned)
            expected = {int(status) for status in OPERATIONS[method, path]["responses"] if status < "300"}
            expected |= {409} if (method, path) in ENDED else set()
            assert answer.status_code in expected, f"{method} {path}: {answer.status_code} {answer.text}"
            learn(answer, learned)
            if path == "/v1/paraphrases/jobs/{job}/resume":
                address = f"/v1/paraphrases/jobs/{learned['job']}"
                wait_until(lambda address=address: client.get(address).json()["state"] == "done", 30.0)


def sent(client: httpx.Client, method: str, path: str, learned: dict[str, str]) -> httpx.Response:
    """The answer to the example of a route, in which ids are those that the service has given; of events, the head."""
    operation = OPERATIONS[method, path]
    values = parameters_of(operation, "path") | learned
    address = re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), path)
    given: dict[str, Any] = {"params": parameters_of(operation, "query"), "json": body_of(operation)}
    if method == "patch":
        headers = {"content-type": "application/octet-stream", "upload-offset": "0"}
        given = {"content": WEIGHTS, "headers": headers}
    with client.stream(method, address, **given) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):  # these do not end
            answer.read()
        return answer


def learn(answer: httpx.Response, learned: dict[str, str]) -> None:
    """Keeps the ids of an answer."""
    if answer.status_code == 204 or not answer.headers["content-type"].startswith("application/json"):
        return
    said = answer.json()
    for name in ("ticket", "upload", "job", "cohort"):
        if isinstance(said.get(name), str):
            learned.setdefault(name, said[name])
    for label in said.get("labels", ()):
        learned.setdefault("cohort", label["cohort"])


def test_the_example_of_rewards_is_told_why(service: Supervisor) -> None:
    with httpx.Client(base_url=service.url, timeout=30.0) as client:
        rewards = client.post("/v1/rewards", json=body_of(OPERATIONS["post", "/v1/rewards"])).json()
        assert rewards["rewards"] == [1.0, 0.0, 1.0, 1.0]
        found = client.get("/v1/cohorts", params={"run": RUN, "question_id": QUESTION, "step": 3}).json()
    assert [each["cohort"] for each in found["cohorts"]].count(rewards["labels"][0]["cohort"]) == 1
