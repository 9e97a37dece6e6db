"""Our client and the service, end to end: weights are published by upload over connections that are cut."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from co_rewarding_client import Conflict, InvalidRequest, RewardClient, RunSettings

from reward_service.teaching.safetensors_folder import checksum
from tests.support.service import running

FLOATS = 6_000_000


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def url(root: Path) -> Iterator[str]:
    with running(weights_root=root, api_processes=2) as made:
        yield made.url


def model(folder: Path, floats: int, seed: int = 0) -> Path:
    """A folder of a model of one tensor."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [floats], "data_offsets": [0, 4 * floats]}}).encode()
    folder.mkdir(parents=True)
    data = bytes([seed]) * 4 * floats
    folder.joinpath("model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    folder.joinpath("config.json").write_text("{}")
    return folder


class CuttingTransport(httpx.HTTPTransport):
    """Loses answers, and the second half of what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.chance = random.Random(1)
        self.cut = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        kind = self.chance.choice(["whole", "lost", "cut"])
        if kind == "whole" or request.method == "GET":
            return super().handle_request(request)
        if kind == "cut" and request.method == "PATCH":
            half = request.content[: len(request.content) // 2]
            headers = {name: value for name, value in request.headers.items() if name != "content-length"}
            request = httpx.Request(request.method, request.url, headers=headers, content=half)
        super().handle_request(request).read()
        self.cut += 1
        raise httpx.ReadError("cut", request=request)


def test_weights_arrive_over_connections_that_are_cut(url: str, root: Path, tmp_path: Path) -> None:
    folder, wire, told = model(tmp_path / "step-12", FLOATS), CuttingTransport(), []
    with RewardClient(url, run="cut", transport=wire, patience_s=60.0) as client:
        client.put_run("cut", RunSettings(method="co-rewarding-ii", group_size=8, total_steps=300))
        update = client.publish(
            12, folder, upload=True, sha256=checksum(folder), progress=lambda *sizes: told.append(sizes)
        )
        assert (update.version, client.teacher().step) == (12, 12)
        assert 0.99 > update.alpha > 0.8  # of all the steps that were skipped
    assert wire.cut > 3
    (arrived,) = root.glob("uploads/cut.step-12.*")
    assert arrived.joinpath("model.safetensors").read_bytes() == folder.joinpath("model.safetensors").read_bytes()
    assert told == sorted(told)
    assert told[-1] == (told[-1][1],) * 2
    assert checksum(arrived) == checksum(folder)


def test_the_same_step_is_one_update_and_an_older_one_none(url: str, tmp_path: Path) -> None:
    folder = model(tmp_path / "weights", 100)
    with RewardClient(url, run="order") as client:
        client.put_run("order", RunSettings(method="co-rewarding-ii", group_size=8, total_steps=300))
        first = client.publish(5, folder, upload=True)
        assert client.publish(5, folder, upload=True) == first
        with pytest.raises(Conflict, match="older"):
            client.publish(4, folder, upload=True)


def test_weights_on_the_services_own_disk_are_not_sent(url: str, root: Path) -> None:
    model(root / "shared" / "step-1", 100)
    with RewardClient(url, run="shared") as client:
        client.put_run("shared", RunSettings(method="co-rewarding-ii", group_size=8, total_steps=300))
        assert client.publish(1, "shared/step-1").version == 1
        with pytest.raises(InvalidRequest, match="no folder"):
            client.publish(2, "shared/step-2")
        with pytest.raises(InvalidRequest, match="empty part"):
            client.publish(2, "../shared/step-1")
