"""Weights in one request: as the form arrives, in whatever pieces, and what is made of a form that is wrong."""

import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response

from reward_service.api.http.problems import MEDIA_TYPE, Problem
from reward_service.api.teacher.multipart import is_multipart, receive_multipart
from reward_service.teaching.uploads import UploadLimits, Uploads
from tests.service import assert_problem
from tests.waiting import wait_until

MiB = 2**20


@dataclass
class Served:
    """A route that receives a form and says what came."""

    root: Path
    url: str

    def post(self, **form: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/updates", timeout=60.0, **form)

    def names(self) -> list[str]:
        uploads = self.root / "uploads"
        return [path.name for path in uploads.iterdir() if path.is_dir()] if uploads.exists() else []


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    app = FastAPI()
    uploads = Uploads(tmp_path, UploadLimits(200 * MiB, 300 * MiB, 100.0))

    @app.post("/updates")
    async def updates(request: Request) -> dict[str, Any]:
        assert is_multipart(request)
        return (await receive_multipart(request, uploads))._asdict()

    @app.post("/nowhere")
    async def nowhere(request: Request) -> dict[str, Any]:
        return (await receive_multipart(request, None))._asdict()

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        return Response(error.body(), error.status, error.headers, MEDIA_TYPE)

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield Served(tmp_path, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    server.should_exit = True
    thread.join()


def safetensors(size: int) -> bytes:
    return (2).to_bytes(8, "little") + b"{}" + random.Random(size).randbytes(size - 10)


def files(**contents: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (name.replace("__", "."), data)) for name, data in contents.items()]


def test_a_form_becomes_a_folder(served: Served) -> None:
    data = safetensors(3 * MiB + 7)
    answer = served.post(
        data={"run": "math", "step": "12", "sha256": "a" * 64}, files=files(model__safetensors=data, config__json=b"{}")
    ).json()
    assert (answer["run"], answer["step"], answer["sha256"]) == ("math", 12, "a" * 64)
    folder = served.root / answer["path"]
    assert folder.parent.name == "uploads"
    assert folder.name.startswith("math.step-12.")
    assert (folder / "model.safetensors").read_bytes() == data
    assert (folder / "config.json").read_bytes() == b"{}"
    assert served.names() == [folder.name]


def test_the_same_form_again_is_the_same_folder_in_any_order(served: Served) -> None:
    data = safetensors(1000)
    first = served.post(data={"step": "3"}, files=files(a__safetensors=data, b__safetensors=data)).json()
    boundary, parts = "b", [("b.safetensors", data), ("a.safetensors", data)]
    body = b"".join(
        f'--{boundary}\r\ncontent-disposition: form-data; name="x"; filename="{name}"\r\n\r\n'.encode() + part + b"\r\n"
        for name, part in parts
    )
    body += f'--{boundary}\r\nContent-Disposition: form-data; name="step"\r\n\r\n3\r\n--{boundary}--\r\n'.encode()
    again = served.post(content=body, headers={"content-type": f"multipart/form-data; boundary={boundary}"}).json()
    assert (first["run"], first["sha256"]) == ("default", None)
    assert again == first
    assert len(served.names()) == 1


@pytest.mark.parametrize("piece", [1, 7, 60])
def test_however_it_is_cut_on_the_wire(served: Served, piece: int) -> None:
    """The boundary, too, may come in pieces, and look-alikes of it stand in the data."""
    data = safetensors(100) + b"\r\n--b\r\n--bound\r\n--boundarx\r\n-" + b"\r" * 40
    body = (
        b'--boundary\r\ncontent-disposition: form-data; name="step"\r\n\r\n7\r\n'
        b'--boundary\r\ncontent-disposition: form-data; name="f"; filename="model.safetensors"\r\n'
        b"content-type: application/octet-stream\r\n\r\n" + data + b"\r\n--boundary--\r\n"
    )
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = (
            f"POST /updates HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n"
            "content-type: multipart/form-data; boundary=boundary\r\n\r\n"
        )
        connection.sendall(head.encode())
        for begin in range(0, len(body), piece):
            connection.sendall(body[begin : begin + piece])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 200 " in answer.split(b"\r\n")[0]
    (name,) = served.names()
    assert (served.root / "uploads" / name / "model.safetensors").read_bytes() == data


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"data": {"step": "1"}, "files": files(pytorch_model__bin=b"x")}, 422, ["pytorch_model.bin", "not taken"]),
        ({"data": {"step": "1"}, "files": [("f", ("../model.safetensors", b"x"))]}, 422, ["not taken"]),
        ({"data": {"step": "1"}, "files": [("f", ("", b"x"))]}, 422, ["'f'", "files bear file names"]),
        ({"data": {"step": "1"}, "files": files(model__safetensors=b"\x80\x04pickled")}, 422, ["safetensors format"]),
        ({"data": {"step": "1"}, "files": files(config__json=b"{}") * 2}, 409, ["config.json", "twice"]),
        ({"files": files(config__json=b"{}")}, 422, ["step"]),
        ({"data": {"step": "-1"}, "files": files(config__json=b"{}")}, 422, ["step"]),
        ({"data": {"step": "9" * 17}, "files": files(config__json=b"{}")}, 422, ["step"]),
        ({"data": {"step": "1", "run": "../x"}, "files": files(config__json=b"{}")}, 422, ["run"]),
        ({"data": {"step": "1", "sha256": "x"}, "files": files(config__json=b"{}")}, 422, ["sha256"]),
        ({"data": {"step": "1", "stepp": "1"}, "files": files(config__json=b"{}")}, 422, ["stepp", "sha256"]),
        ({"data": {"step": ["1", "2"]}, "files": files(config__json=b"{}")}, 422, ["each once"]),
        ({"data": {"step": "1" * 2000}, "files": files(config__json=b"{}")}, 422, ["longer than 1024"]),
        ({"files": [("f", ("x" * 9000, b"x"))]}, 422, ["header"]),
        ({"content": b"--b\r\n", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 422, ["closing"]),
        ({"content": b"hello", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 422, ["boundary"]),
        ({"content": b"hello", "headers": {"content-type": "multipart/form-data"}}, 422, ["no boundary"]),
        ({"content": b"x", "headers": {"content-type": f"multipart/form-data; boundary={'b' * 999}"}}, 422, ["256"]),
        ({"content": iter([b"x"]), "headers": {"content-type": "multipart/form-data; boundary=b"}}, 411, ["Length"]),
        ({"data": {"step": "1"}, "files": files(model__safetensors=bytes(201 * MiB))}, 413, ["MAX_WEIGHTS_BYTES"]),
    ],
    ids=lambda value: "form" if isinstance(value, dict) else str(value),
)
def test_a_form_that_is_wrong_leaves_nothing(
    served: Served, form: dict[str, Any], status: int, words: list[str]
) -> None:
    assert_problem(served.post(**form), status, *words)
    assert served.names() == []


def test_a_connection_that_is_cut_leaves_nothing(served: Served) -> None:
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = (
            "POST /updates HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n"
            "content-type: multipart/form-data; boundary=b\r\n\r\n"
            '--b\r\ncontent-disposition: form-data; name="f"; filename="model.safetensors"\r\n\r\n'
        )
        connection.sendall(head.encode() + safetensors(5 * MiB))
        wait_until(lambda: served.names() != [])
    wait_until(lambda: served.names() == [])


def test_no_root_no_weights(served: Served) -> None:
    answer = httpx.post(f"{served.url}/nowhere", files=files(config__json=b"{}"))
    assert_problem(answer, 501, "CO_REWARDING_WEIGHTS_ROOT")


def test_it_is_never_whole_in_memory(served: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    big = tmp_path_factory.mktemp("big") / "model.safetensors"
    block = safetensors(MiB)
    with big.open("wb") as file:
        for _ in range(192):
            file.write(block)
    process, peak, done = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], process.memory_info().rss)

    before = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    with big.open("rb") as file:
        answer = served.post(data={"step": "1"}, files={"f": ("model.safetensors", file)})
    done.set()
    watcher.join()
    assert answer.status_code == 200, answer.text
    assert peak[0] - before < 64 * MiB
