"""Resumable uploads through a served application: two API processes over one folder."""

import hashlib
import http.client
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.support.service import assert_problem, running
from tests.support.waiting import wait_until

OCTETS = {"content-type": "application/octet-stream"}
MiB = 2**20


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def url(root: Path) -> Iterator[str]:
    with running(weights_root=root, api_processes=2, max_weights_bytes=64 * MiB, max_uploads_bytes=200 * MiB) as made:
        yield made.url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30.0) as client:
        yield client


def safetensors(size: int, seed: int) -> bytes:
    return (2).to_bytes(8, "little") + b"{}" + random.Random(seed).randbytes(size - 10)


def declaration(contents: dict[str, bytes], **more: Any) -> dict[str, Any]:
    files = [
        {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in contents.items()
    ]
    return {"run": "math", "step": 12, "files": files} | more


def begun(client: httpx.Client, contents: dict[str, bytes], **more: Any) -> str:
    answer = client.post("/v1/teacher/uploads", json=declaration(contents, **more))
    assert answer.status_code == 201, answer.text
    return answer.json()["upload"]


def patch(client: httpx.Client, upload: str, name: str, data: Any, offset: int, **headers: str) -> httpx.Response:
    return client.patch(
        f"/v1/teacher/uploads/{upload}/{name}", content=data, headers=OCTETS | {"upload-offset": str(offset)} | headers
    )


def test_weights_arrive_in_pieces_and_are_found_under_their_path(client: httpx.Client, root: Path) -> None:
    contents = {"model.safetensors": safetensors(3 * MiB + 5, 1), "config.json": b"{}"}
    body = declaration(contents)
    made = client.post("/v1/teacher/uploads", json=body).json()
    assert made["files"] == [
        {"name": "model.safetensors", "size": 3 * MiB + 5, "received": 0},
        {"name": "config.json", "size": 2, "received": 0},
    ]
    assert (made["run"], made["step"], made["path"]) == ("math", 12, None)
    assert made["expires_at"].endswith("Z")
    upload = made["upload"]
    answer = patch(client, upload, "model.safetensors", contents["model.safetensors"][:MiB], 0)
    assert (answer.status_code, answer.headers["upload-offset"], answer.content) == (204, str(MiB), b"")
    again = client.post("/v1/teacher/uploads", json=body)
    assert (again.status_code, again.json()["upload"]) == (201, upload)
    assert again.json()["files"][0]["received"] == MiB
    assert patch(client, upload, "config.json", b"{}", 0).status_code == 204
    assert patch(client, upload, "model.safetensors", contents["model.safetensors"][MiB:], MiB).status_code == 204
    whole = client.get(f"/v1/teacher/uploads/{upload}").json()
    assert whole["path"] == f"uploads/math.step-12.{upload}"
    assert {name: (root / whole["path"] / name).read_bytes() for name in contents} == contents
    assert client.delete(f"/v1/teacher/uploads/{upload}").status_code == 204
    assert not (root / whole["path"]).exists()
    assert_problem(client.get(f"/v1/teacher/uploads/{upload}"), 404, "declare it")


def test_a_wrong_offset_is_told_the_right_one(client: httpx.Client) -> None:
    contents = {"model.safetensors": safetensors(100, 2)}
    upload = begun(client, contents)
    patch(client, upload, "model.safetensors", contents["model.safetensors"][:40], 0)
    answer = patch(client, upload, "model.safetensors", contents["model.safetensors"], 0)
    assert_problem(answer, 409, "go on from there")
    assert answer.headers["upload-offset"] == "40"


def test_what_a_cut_connection_brought_is_kept(client: httpx.Client, url: str) -> None:
    contents = {"model.safetensors": safetensors(20 * MiB, 3)}
    upload = begun(client, contents)
    data, target = contents["model.safetensors"], f"/v1/teacher/uploads/{upload}/model.safetensors"
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = (
            f"PATCH {target} HTTP/1.1\r\nhost: x\r\nupload-offset: 0\r\ncontent-length: {len(data)}\r\n"
            "content-type: application/octet-stream\r\n\r\n"
        )
        connection.sendall(head.encode() + data[: 5 * MiB])

    def received() -> int:
        return client.get(f"/v1/teacher/uploads/{upload}").json()["files"][0]["received"]

    wait_until(lambda: received() == 5 * MiB)
    wait_until(lambda: patch(client, upload, "model.safetensors", b"", 5 * MiB).status_code == 204)  # given up
    assert patch(client, upload, "model.safetensors", data[5 * MiB :], 5 * MiB).status_code == 204
    assert client.get(f"/v1/teacher/uploads/{upload}").json()["path"] is not None


def test_two_at_once_are_told_apart(client: httpx.Client, url: str) -> None:
    contents = {"model.safetensors": safetensors(4 * MiB, 4)}
    upload = begun(client, contents)
    address = urlsplit(url)
    slow = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    slow.putrequest("PATCH", f"/v1/teacher/uploads/{upload}/model.safetensors")
    for name, value in (OCTETS | {"upload-offset": "0", "content-length": str(4 * MiB)}).items():
        slow.putheader(name, value)
    slow.endheaders(contents["model.safetensors"][: 3 * MiB])
    received = wait_until(lambda: client.get(f"/v1/teacher/uploads/{upload}").json()["files"][0]["received"])
    busy = patch(client, upload, "model.safetensors", b"", received)
    assert_problem(busy, 409, "another request")
    assert busy.headers["retry-after"] == "1"
    slow.send(contents["model.safetensors"][3 * MiB :])
    assert slow.getresponse().status == 204
    slow.close()


def test_many_clients_of_one_upload_end_with_what_was_declared(url: str, root: Path) -> None:
    contents = {f"model-{n}.safetensors": safetensors(2 * MiB + n, n) for n in range(3)}

    def sender(seed: int) -> None:
        chance = random.Random(seed)
        with httpx.Client(base_url=url, timeout=30.0) as client:
            while (state := client.post("/v1/teacher/uploads", json=declaration(contents)).json())["path"] is None:
                file = chance.choice(state["files"])
                piece = contents[file["name"]][file["received"] :][: chance.randint(1, MiB)]
                assert patch(client, state["upload"], file["name"], piece, file["received"]).status_code in {204, 409}

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(sender, seed) for seed in range(4)]:
            done.result(60)
    with httpx.Client(base_url=url) as client:
        path = client.post("/v1/teacher/uploads", json=declaration(contents)).json()["path"]
    assert {name: (root / path / name).read_bytes() for name in contents} == contents


def test_a_file_that_is_not_what_was_declared_is_discarded(client: httpx.Client) -> None:
    upload = begun(client, {"model.safetensors": safetensors(100, 5)})
    assert_problem(patch(client, upload, "model.safetensors", safetensors(100, 6), 0), 422, "SHA-256", "discarded")
    assert client.get(f"/v1/teacher/uploads/{upload}").json()["files"][0]["received"] == 0


@pytest.mark.parametrize("known_length", [True, False])
def test_more_than_was_declared_is_refused(client: httpx.Client, known_length: bool) -> None:
    upload = begun(client, {"model.safetensors": safetensors(100, 7)}, step=int(known_length))
    body = b"x" * 5 * MiB
    answer = patch(client, upload, "model.safetensors", body if known_length else iter([body[:50], body]), 0)
    assert_problem(answer, 413, "declared with 100 bytes")


def test_only_so_much_may_be_sent(client: httpx.Client) -> None:
    def asked(size: int, step: int = 1) -> httpx.Response:
        file = {"name": "model.safetensors", "size": size, "sha256": "0" * 64}
        return client.post("/v1/teacher/uploads", json={"step": step, "files": [file]})

    assert_problem(asked(64 * MiB + 1), 413, "CO_REWARDING_MAX_WEIGHTS_BYTES")
    answers = [asked(64 * MiB, step) for step in range(4)]
    try:
        assert_problem(answers[-1], 429, "CO_REWARDING_MAX_UPLOADS_BYTES")
        assert answers[-1].headers["retry-after"] == "5"
    finally:
        for answer in answers:
            if answer.status_code == 201:
                client.delete(f"/v1/teacher/uploads/{answer.json()['upload']}")


FILE = {"name": "model.safetensors", "size": 10, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"files": []}, ["files"]),
        ({"files": [FILE | {"name": "pytorch_model.bin"}]}, ["files[0].name"]),
        ({"files": [FILE | {"name": "../model.safetensors"}]}, ["files[0].name"]),
        ({"files": [FILE | {"size": 0}]}, ["files[0].size"]),
        ({"files": [FILE | {"size": "10"}]}, ["files[0].size"]),
        ({"files": [FILE | {"sha256": "0" * 63}]}, ["files[0].sha256"]),
        ({"files": [FILE | {"mode": 7}]}, ["files[0].mode"]),
        ({"step": -1}, ["step"]),
        ({"run": "../x"}, ["run"]),
        ({"ruN": "x"}, ["ruN"]),
    ],
    ids=str,
)
def test_a_declaration_that_is_none(client: httpx.Client, changes: dict[str, Any], words: list[str]) -> None:
    assert_problem(client.post("/v1/teacher/uploads", json={"step": 1, "files": [FILE]} | changes), 422, *words)


def test_a_name_that_comes_twice_contradicts_itself(client: httpx.Client) -> None:
    assert_problem(client.post("/v1/teacher/uploads", json={"step": 1, "files": [FILE, FILE]}), 409, "twice")


def test_bodies_that_are_not_what_they_should_be(client: httpx.Client) -> None:
    assert_problem(client.post("/v1/teacher/uploads", content=b"{"), 400, "JSON")
    upload = begun(client, {"model.safetensors": safetensors(100, 8)})
    assert_problem(patch(client, upload, "model.safetensors", b"x", 0, **{"content-type": "text/plain"}), 415)
    assert_problem(patch(client, upload, "model.safetensors", b"x", 0, **{"content-encoding": "gzip"}), 415)
    assert_problem(patch(client, upload, "model.safetensors", b"x", -1), 422, "Upload-Offset".lower())
    bare = client.patch(f"/v1/teacher/uploads/{upload}/model.safetensors", content=b"x", headers=OCTETS)
    assert_problem(bare, 422, "upload-offset")
    assert_problem(patch(client, upload, "config.json", b"x", 0), 404, "no file")
    for target in ("..%2Fx", "%00", "nobody"):
        assert_problem(patch(client, target, "model.safetensors", b"x", 0), 404)
    wrong = client.put(f"/v1/teacher/uploads/{upload}")
    assert_problem(wrong, 405)
    assert wrong.headers["allow"] == "DELETE, GET"


def test_a_service_without_a_root_says_what_to_set(service_url: str) -> None:
    with httpx.Client(base_url=service_url) as client:
        for answer in (
            client.post("/v1/teacher/uploads", json={"step": 1, "files": [FILE]}),
            client.get("/v1/teacher/uploads/x"),
            client.delete("/v1/teacher/uploads/x"),
            patch(client, "x", "model.safetensors", b"x", 0),
        ):
            assert_problem(answer, 501, "CO_REWARDING_WEIGHTS_ROOT")


EXPECTED = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "413", "429", "507"]
[checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", "507"]
[[operations]]
include-path = "/v1/teacher/updates"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "413", "422", "429", "507"]
"""
"""What no schema says: sizes that are too much together, a disk that is full, weights that are not there."""


def test_schemathesis_finds_nothing(url: str, tmp_path: Path) -> None:
    tmp_path.joinpath("schemathesis.toml").write_text(EXPECTED)
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json", "--include-path-regex",
        "^/v1/teacher/up(load|date)s", "--mode", "all", "--max-examples", "20", "--phases",
        "examples,coverage,fuzzing", "--seed", "1", "--no-color",
    ]  # fmt: skip
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
    assert found.returncode == 0, found.stdout[-6000:]


def test_a_body_is_never_whole_in_memory(tmp_path: Path) -> None:
    size = 128 * MiB
    block = safetensors(MiB, 9)
    digest = hashlib.sha256()
    for _ in range(size // MiB):
        digest.update(block)
    file = {"name": "model.safetensors", "size": size, "sha256": digest.hexdigest()}
    with running(weights_root=tmp_path) as made, httpx.Client(base_url=made.url, timeout=60.0) as client:
        upload = client.post("/v1/teacher/uploads", json={"step": 1, "files": [file]}).json()["upload"]
        family = [psutil.Process(pid) for pid in made.pids("api")]
        before = sum(process.memory_info().rss for process in family)
        blocks = (block for _ in range(size // MiB))
        answer = patch(client, upload, "model.safetensors", blocks, 0, **{"content-length": str(size)})
        assert answer.status_code == 204, answer.text
        assert sum(process.memory_info().rss for process in family) - before < 32 * MiB


def test_what_nobody_finishes_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "uploads" / f".math.step-1.{'0' * 32}"
    left.mkdir(parents=True)
    (left / "model.safetensors.part").write_bytes(b"x")
    for path in (left / "model.safetensors.part", left):
        os.utime(path, (0.0, 0.0))
    with running(ready=False, weights_root=tmp_path):  # a service that starts sweeps at once
        wait_until(lambda: not left.exists())
