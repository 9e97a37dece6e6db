"""docker-compose as the test drives it: a project of its own, with its own ports, images as they are built here."""

import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
ENGINE = ROOT.parent / "shared" / "compose-host" / "up"
"""On the machines that this was made on: starts an engine where there is none."""

_EXAMPLE = (ROOT / ".env.example").read_text()
BASE_IMAGES = dict(re.findall(r"^#?(REDIS_IMAGE|PROMETHEUS_IMAGE|PYTHON_IMAGE)=(.+)$", _EXAMPLE, re.MULTILINE))


class CommandError(AssertionError):
    """A command of the test failed; what it said is the message."""


def run(*command: str, env: dict[str, str] | None = None, timeout_s: float = 600.0) -> str:
    """The command's output.

    Raises:
        CommandError: it ended with another status than 0.
    """
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        raise CommandError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def engine_is_there() -> bool:
    """Whether containers can be run; an engine is started if this machine has the means."""
    if ENGINE.exists() and not _engine_answers():
        subprocess.run([str(ENGINE)], capture_output=True, timeout=600, check=False)
    return _engine_answers() and _compose() is not None


def _engine_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, timeout=60, check=False).returncode == 0


def _compose() -> list[str] | None:
    if shutil.which("docker-compose") is not None:
        return ["docker-compose"]
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=60, check=False)
    return ["docker", "compose"] if plugin.returncode == 0 else None


def _images_at_hand() -> dict[str, str]:
    """Base images that this machine has under their tags alone, as one without a registry does."""
    at_hand: dict[str, str] = {}
    for name, reference in BASE_IMAGES.items():
        tag = reference.partition("@")[0]
        if not _has_image(reference) and _has_image(tag):
            at_hand[name] = tag
    return at_hand


def _has_image(reference: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", reference], capture_output=True, check=False).returncode == 0


@dataclass
class Project:
    """One `docker-compose -p NAME`, published at free ports of the loopback."""

    name: str
    port: int = field(default_factory=free_port)
    prometheus_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *arguments: str, timeout_s: float = 600.0) -> str:
        ports = {"PORT": str(self.port), "PROMETHEUS_PORT": str(self.prometheus_port), "DEMO_STEPS": "4"}
        environment = os.environ | ports | _images_at_hand() | {"COMPOSE_ANSI": "never"}
        return run(*(_compose() or ()), "-p", self.name, *arguments, env=environment, timeout_s=timeout_s)

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers, dead ones included."""
        label = f"label=com.docker.compose.service={service}"
        mine = f"label=com.docker.compose.project={self.name}"
        return run("docker", "ps", "--all", "--quiet", "--filter", mine, "--filter", label).split()

    def inspect(self, service: str) -> list[dict[str, Any]]:
        """What the engine says of them."""
        return json.loads(run("docker", "inspect", *self.containers(service)))

    def healthy(self, service: str, count: int = 1) -> bool:
        states = [each["State"] for each in self.inspect(service) if each["State"]["Running"]]
        return sum(state.get("Health", {}).get("Status") == "healthy" for state in states) == count

    def key(self) -> str:
        """The key that the setup has made."""
        return self.compose("exec", "-T", "reward-service", "cat", "/run/secrets/api_key").strip()

    def client(self, key: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {key}"}, timeout=60.0)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Prometheus's answer to an instant query."""
        answer = httpx.get(
            f"http://127.0.0.1:{self.prometheus_port}/api/v1/query", params={"query": expression}, timeout=10.0
        )
        return answer.raise_for_status().json()["data"]["result"]

    def targets(self) -> dict[str, list[str]]:
        """The health of every target that Prometheus scrapes, by job."""
        answer = httpx.get(f"http://127.0.0.1:{self.prometheus_port}/api/v1/targets", timeout=10.0)
        found: dict[str, list[str]] = {}
        for target in answer.raise_for_status().json()["data"]["activeTargets"]:
            found.setdefault(target["labels"]["job"], []).append(target["health"])
        return found


def seconds(began_s: float) -> float:
    """Since then."""
    return time.monotonic() - began_s
