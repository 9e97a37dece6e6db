"""`co-rewarding ray up`, `status` and `down` as a person calls them, and what keeps a service from being whole."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from co_rewarding_client import RewardClient
from co_rewarding_schema.errors import CoRewardingError

from tests.on_ray.ray_services import HEAD, MARK, OTHER, configured, processes_of
from tests.support.ports import free_port
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.framework, pytest.mark.timeout(300)]

FILE = """
name = "{name}"
[store]
data_dir = "{folder}/data"
port = {port}
[api]
port = 0
cpus = 0.5
[workers]
cpus = 0.5
[service]
api_keys_file = "{folder}/keys"
[runtime_env.env_vars]
{mark} = "{name}"
"""


def ray_command(*words: str, address: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reward_service", "ray", *words, "--address", address]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


def test_up_status_and_down(cluster: Any, folder: Path):
    name = f"s-{free_port()}"
    (folder / "keys").write_text("a-key\n")
    file = folder / "service.toml"
    file.write_text(FILE.format(name=name, folder=folder, port=free_port(), mark=MARK))
    done = ray_command("up", str(file), address=cluster.address)
    assert done.returncode == 0, done.stderr
    for word in (f"ray://{name}", "every part runs", f"a Valkey on the node {HEAD}", f"http://{OTHER}:", "workers: 1"):
        assert word in " ".join(done.stdout.split()), done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert ray_command("status", "--name", name, address=cluster.address).returncode == 0
    with RewardClient(f"ray://{name}", api_key="a-key") as client:
        assert client.ready()
    down = ray_command("down", "--name", name, address=cluster.address)
    assert (down.returncode, down.stdout) == (0, f"{name} is down\n")
    wait_until(lambda: not processes_of(name), 20.0, every_s=0.1)
    gone = ray_command("status", "--name", name, address=cluster.address)
    assert gone.returncode == 2
    assert f"no service '{name}' is up" in gone.stderr


def test_where_there_is_no_cluster_it_is_told(cluster: Any):
    done = ray_command("status", address=f"127.0.0.1:{free_port()}")
    assert done.returncode == 2
    assert "there is no Ray cluster here" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_part_that_gets_no_cpus_is_told(cluster: Any, folder: Path):
    from reward_service.on_ray.handle import up

    workers = {"least": 1, "most": 1, "cpus": 100}
    service = up(configured(store={"data_dir": folder, "port": free_port()}, workers=workers))
    try:
        with pytest.raises(CoRewardingError, match=r"worker/0 is starting.*waits for 100 CPU.*others have"):
            service.wait_ready(within_s=20.0)
        assert json.dumps(service.status())
    finally:
        service.down()
    wait_until(lambda: not processes_of(service.name), 20.0, every_s=0.1)
