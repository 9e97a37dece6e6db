"""Weights on their way through a network that cuts, to a service that keeps what arrived. No network here either."""

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from client_world import Caller, FakeService, FakeTime, Trace, problem, reply, run_flow
from co_rewarding_client import InvalidRequest, NotFound, ProtocolError, ServiceUnavailable, TeacherUpdate
from co_rewarding_client.calls import Calls
from co_rewarding_client.decoding import HttpReply
from co_rewarding_client.flow import Outcome, Send, TransportFailure
from co_rewarding_client.uploading import CHUNK_BYTES, shared_path
from hypothesis import given, settings
from hypothesis import strategies as st

UPDATED = httpx.Response(202, json={"version": 12, "alpha": 0.99})


def weights(folder: Path, size: int = 100) -> dict[str, bytes]:
    """A folder of a model, with what trainers leave beside it."""
    contents = {"config.json": b"{}", "model.safetensors": random.Random(size).randbytes(size)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (contents | {"tokenizer.json": b"{}", "optimizer.pt": b"x", ".lock": b""}).items():
        (folder / name).write_bytes(data)
    (folder / "global_step").mkdir(exist_ok=True)
    return contents


@dataclass
class Intake:
    """An upload's service: it keeps what arrives, and fails as it is told to."""

    troubles: list[str] = field(default_factory=list)
    kept: dict[str, bytearray] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    declared: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    announced: Any = None

    def __call__(self, send: Send) -> Outcome:
        request = send.request
        self.requests.append(request.method)
        trouble = self.troubles.pop(0) if self.troubles else "none"
        if trouble == "refused":
            return TransportFailure(ConnectionError("refused"))
        if trouble == "away":
            return reply(503)
        answer = self._answer(request.method, request.target, dict(request.headers), request.body or b"", trouble)
        return TransportFailure(ConnectionError("reset")) if trouble in {"cut", "lost"} else answer

    def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes, trouble: str) -> HttpReply:
        if target == "/v1/teacher/uploads":
            self.declared = json.loads(body)
            return reply(201, self._state())
        if target == "/v1/teacher/uploads/u1":
            return reply(200, self._state())
        if target == "/v1/teacher/updates":
            self.announced = json.loads(body)
            return reply(202, {"version": 12, "alpha": 0.99})
        assert method == "PATCH"
        if trouble == "busy":
            return reply(409, {"title": "Conflict", "detail": "another request is writing"}, {"retry-after": "1"})
        name = target.rsplit("/", 1)[1]
        file = next(each for each in self.declared["files"] if each["name"] == name)
        kept = self.kept.setdefault(name, bytearray())
        if int(headers["upload-offset"]) != len(kept):
            return reply(409, {"title": "Conflict"}, {"upload-offset": str(len(kept))})
        kept += body[: len(body) // 2] if trouble == "cut" else body
        if len(kept) == file["size"]:
            if hashlib.sha256(kept).hexdigest() != file["sha256"]:
                kept.clear()
                return reply(422, {"title": "Wrong", "detail": "SHA-256"})
            self.whole.add(name)
        return HttpReply(204, {"upload-offset": str(len(kept))}, b"")

    def _state(self) -> dict[str, Any]:
        files = [
            {"name": file["name"], "size": file["size"], "received": len(self.kept.get(file["name"], b""))}
            for file in self.declared["files"]
        ]
        path = "uploads/math.step-12.u1" if len(self.whole) == len(files) else None
        return {
            "upload": "u1",
            "run": "math",
            "step": 12,
            "files": files,
            "expires_at": "2026-01-02T03:04:05Z",
            "path": path,
        }


def published(
    intake: Callable[[Send], Outcome], folder: Path, progress: Callable[[int, int], None] | None = None
) -> tuple[Any, FakeTime, Trace]:
    time, trace = FakeTime(), Trace()
    calls = Calls("http://service", "math", 5.0, 60.0, time.surroundings())
    flow = calls.publish(12, folder, run=None, sha256=None, upload=True, progress=progress)
    return run_flow(flow, time, intake, trace), time, trace


def test_weights_are_sent_and_then_announced_by_their_path(tmp_path: Path):
    contents, intake = weights(tmp_path), Intake()
    update, *_ = published(intake, tmp_path)
    assert update == TeacherUpdate(version=12, alpha=0.99)
    assert intake.kept == contents
    assert intake.declared == {
        "run": "math",
        "step": 12,
        "files": [
            {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in contents.items()
        ],
    }
    assert intake.announced == {"run": "math", "step": 12, "path": "uploads/math.step-12.u1"}
    assert intake.requests == ["POST", "PATCH", "PATCH", "GET", "POST"]


def test_a_large_file_comes_in_pieces_and_says_how_far_it_is(tmp_path: Path):
    contents, intake, told = weights(tmp_path, 2 * CHUNK_BYTES + 5), Intake(), []
    published(intake, tmp_path, lambda arrived, total: told.append((arrived, total)))
    assert intake.kept == contents
    whole = 2 * CHUNK_BYTES + 7
    assert told == [(size, whole) for size in (2, CHUNK_BYTES + 2, 2 * CHUNK_BYTES + 2, whole)]


@given(troubles=st.lists(st.sampled_from(["none", "refused", "away", "cut", "lost", "busy"]), max_size=12))
@settings(max_examples=80, deadline=None)
def test_whatever_happens_on_the_way_what_arrives_is_what_was_sent(tmp_path_factory, troubles):
    folder = tmp_path_factory.mktemp("step")
    contents, intake = weights(folder), Intake(list(troubles))
    update, *_ = published(intake, folder)
    assert update == TeacherUpdate(version=12, alpha=0.99)
    assert intake.kept == contents


def test_what_is_there_is_not_sent_again(tmp_path: Path):
    contents, intake = weights(tmp_path, CHUNK_BYTES + 500), Intake()
    intake.kept = {"model.safetensors": bytearray(contents["model.safetensors"][:CHUNK_BYTES])}
    _, _, trace = published(intake, tmp_path)
    sizes = [len(send.request.body or b"") for _, send in trace.sends if send.request.method == "PATCH"]
    assert sizes == [2, 500]
    again = Intake(whole=set(contents), kept={name: bytearray(data) for name, data in contents.items()})
    published(again, tmp_path)
    assert again.requests == ["POST", "POST"]


def test_a_file_whose_last_answer_was_lost_is_checked_with_nothing_more_to_send(tmp_path: Path):
    contents, intake = weights(tmp_path), Intake()
    intake.kept = {name: bytearray(data) for name, data in contents.items()}
    _, _, trace = published(intake, tmp_path)
    patches = [send.request for _, send in trace.sends if send.request.method == "PATCH"]
    assert [patch.body for patch in patches] == [b"", b""]
    assert [patch.headers["upload-offset"] for patch in patches] == ["2", "100"]


def test_one_who_waits_for_another_comes_back_after_a_pause(tmp_path: Path):
    weights(tmp_path)
    _, time, trace = published(Intake(["none", "busy", "busy"]), tmp_path)
    assert time.slept == [1.0, 1.0]
    assert "another request is writing" in trace.pauses[0][1].reason


def test_patience_bounds_the_time_without_progress_and_not_the_upload(tmp_path: Path):
    weights(tmp_path)
    with pytest.raises(ServiceUnavailable, match=r"PATCH .*refused for 60 s.*what has arrived is kept"):
        published(Intake(["none", *["busy"] * 100]), tmp_path)
    busy = ["busy"] * 40
    slow = ["none", *busy, "none", *busy, "cut", "none", *busy, "none"]
    update, time, _ = published(Intake(slow), tmp_path)
    assert update == TeacherUpdate(version=12, alpha=0.99)
    assert sum(time.slept) > 120.0


def test_the_last_piece_of_a_file_is_given_time_to_be_checked(tmp_path: Path):
    weights(tmp_path, CHUNK_BYTES + 500)
    _, _, trace = published(Intake(), tmp_path)
    patches = [send for _, send in trace.sends if send.request.target.endswith("/model.safetensors")]
    assert patches[0].read_timeout_s == 5.0
    assert patches[1].read_timeout_s == pytest.approx(5.0 + (CHUNK_BYTES + 500) / 100e6)


def test_a_file_that_is_spoilt_on_the_way_is_told(tmp_path: Path):
    weights(tmp_path)
    intake = Intake()
    intake.kept = {"model.safetensors": bytearray(b"other bytes")}
    with pytest.raises(InvalidRequest, match="SHA-256"):
        published(intake, tmp_path)
    update, *_ = published(intake, tmp_path)
    assert update == TeacherUpdate(version=12, alpha=0.99)


@pytest.mark.parametrize("changed", [b"short", None])
def test_a_file_that_changes_while_it_is_sent_is_told(tmp_path: Path, changed: bytes | None):
    weights(tmp_path)
    intake = Intake()

    def answer(send: Send) -> Outcome:
        (tmp_path / "model.safetensors").unlink(missing_ok=True)
        if changed is not None:
            (tmp_path / "model.safetensors").write_bytes(changed)
        return intake(send)

    with pytest.raises(InvalidRequest, match=r"model\.safetensors' (became shorter|cannot be read)"):
        published(answer, tmp_path)


@pytest.mark.parametrize("kind", ["missing", "a file", "empty", "pickles"])
def test_a_folder_without_weights_is_refused_before_anything_is_sent(tmp_path: Path, kind: str):
    folder = tmp_path / "step"
    if kind == "a file":
        folder.write_bytes(b"")
    elif kind != "missing":
        folder.mkdir()
    if kind == "pickles":
        (folder / "pytorch_model.bin").write_bytes(b"x")
    intake = Intake()
    with pytest.raises(InvalidRequest, match=r"cannot be read|holds no"):
        published(intake, folder)
    assert intake.requests == []


def test_an_upload_that_is_gone_is_told(tmp_path: Path):
    weights(tmp_path)
    intake = Intake()
    with pytest.raises(NotFound, match="declare it"):
        published(
            lambda send: (
                reply(404, {"title": "Not Found", "detail": "declare it"})
                if send.request.method == "PATCH"
                else intake(send)
            ),
            tmp_path,
        )


def test_a_proxy_that_takes_headers_away_is_told(tmp_path: Path):
    weights(tmp_path)
    intake = Intake()

    def answer(send: Send) -> Outcome:
        outcome = intake(send)
        return HttpReply(204, {}, b"") if send.request.method == "PATCH" else outcome

    with pytest.raises(ProtocolError, match="no Upload-Offset"):
        published(answer, tmp_path)


def test_both_clients_send_files(caller: Caller, tmp_path: Path):
    contents = weights(tmp_path)
    state = {
        "upload": "u/1",
        "run": "math",
        "step": 12,
        "files": [{"name": name, "size": 1, "received": 0} for name in contents],
        "expires_at": "2026-01-02T03:04:05Z",
        "path": None,
    }
    service = FakeService(
        httpx.Response(201, json=state),
        httpx.Response(204, headers={"upload-offset": "2"}),
        problem(503),
        httpx.Response(204, headers={"upload-offset": "100"}),
        httpx.Response(200, json={**state, "path": "uploads/w"}),
        UPDATED,
    )
    told: list[tuple[int, int]] = []
    update = caller.call(
        service, "publish", 12, tmp_path, upload=True, progress=lambda *sizes: told.append(sizes), sha256="ab"
    )
    assert update == TeacherUpdate(version=12, alpha=0.99)
    assert told == [(2, 102), (102, 102)]
    patches = [request for request in service.requests if request.method == "PATCH"]
    assert [patch.url.raw_path for patch in patches[::2]] == [
        b"/v1/teacher/uploads/u%2F1/config.json",
        b"/v1/teacher/uploads/u%2F1/model.safetensors",
    ]
    assert patches[2].content == contents["model.safetensors"]
    assert patches[2].headers["content-type"] == "application/octet-stream"
    assert json.loads(service.requests[-1].content) == {
        "run": "default", "step": 12, "path": "uploads/w", "sha256": "ab"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given_path", "expected"),
    [("step-12", "step-12"), (Path("a") / "step-12", "a/step-12"), ("step-12/", "step-12"), ("./step-12", "step-12")],
)
def test_a_shared_folder_is_named_from_the_root(given_path: str | Path, expected: str):
    assert shared_path(given_path) == expected


def test_a_shared_folder_has_no_absolute_name(caller: Caller):
    service = FakeService(UPDATED)
    with pytest.raises(InvalidRequest, match="upload=True"):
        caller.call(service, "publish", 12, "/weights/step-12")
    assert service.requests == []
