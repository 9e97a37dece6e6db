"""Weights on their way to the teacher, against the contract and against everything that goes wrong."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from co_rewarding_trainer.openrlhf.errors import TrainingSettingsError
from co_rewarding_trainer.openrlhf.publishing import WeightPublisher
from co_rewarding_trainer.openrlhf.settings import TrainingSettings, handed_down


class Teacher:
    """The service's side of POST /v1/teacher/updates, as the contract has it."""

    def __init__(self, root: Path, answer: Callable[[], httpx.Response] | None = None) -> None:
        self.root = root
        self.requests: list[httpx.Request] = []
        self.read: list[bytes] = []
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self._answer is not None:
            return self._answer()
        path = Path(json.loads(request.content)["path"])
        assert len(path.parts) == 1, "a name below the weights root"
        self.read.append((self.root / path / "model.safetensors").read_bytes())
        return httpx.Response(202, json={"version": json.loads(request.content)["step"], "alpha": 0.99})


def publisher(root: Path, teacher: Teacher, patience_s: float = 0.0, **changes: Any) -> WeightPublisher:
    fields: dict[str, Any] = {"url": "http://service/", "run": "a.run-1", "weights_dir": root, "publish_every": 1}
    fields |= {"attempt": 1700}
    settings = TrainingSettings(**(fields | changes))
    return WeightPublisher(settings, httpx.MockTransport(teacher), patience_s)


def writing(content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(content)
        (folder / "model.safetensors").chmod(0o600)

    return write


def fail(_folder: Path) -> None:
    (_folder / "half").write_bytes(b"half")
    raise OSError(28, "No space left on device")


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_a_step_is_whole_in_its_folder_when_the_service_is_told(tmp_path: Path):
    root = tmp_path / "weights"
    teacher = Teacher(root)
    assert publisher(root, teacher, api_key="secret").publish(12, writing(b"twelve"))
    (request,) = teacher.requests
    assert (request.method, request.url) == ("POST", "http://service/v1/teacher/updates")
    assert json.loads(request.content) == {"run": "a.run-1", "step": 12, "path": "a.run-1.step-12.1700"}
    assert request.headers["authorization"] == "Bearer secret"
    assert teacher.read == [b"twelve"]
    (folder,) = root.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "model.safetensors").stat().st_mode & 0o777 == 0o644


def test_old_steps_are_removed_and_other_runs_are_left_alone(tmp_path: Path):
    teacher = Teacher(tmp_path)
    other = publisher(tmp_path, teacher, run="a.run-12")
    other.publish(1, writing(b"other"))
    (tmp_path / "a-run-1.step-1.5").mkdir()
    ours = publisher(tmp_path, teacher)
    for step in (8, 9, 10, 11):
        assert ours.publish(step, writing(b"ours"))
    kept = ["a-run-1.step-1.5", "a.run-1.step-10.1700", "a.run-1.step-11.1700", "a.run-12.step-1.1700"]
    assert names(tmp_path) == kept


def test_a_step_done_again_after_a_resume_takes_the_place_of_what_was_before(tmp_path: Path):
    teacher = Teacher(tmp_path)
    for step in (1, 2, 3):
        publisher(tmp_path, teacher).publish(step, writing(b"before"))
    assert publisher(tmp_path, teacher, attempt=1800).publish(2, writing(b"again"))
    assert names(tmp_path) == ["a.run-1.step-2.1800", "a.run-1.step-3.1700"]
    assert teacher.read[-1] == b"again"


def test_what_a_killed_process_left_half_done_is_removed(tmp_path: Path):
    half = tmp_path / ".a.run-1.step-4.1600.77"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert publisher(tmp_path, Teacher(tmp_path)).publish(5, writing(b"five"))
    assert names(tmp_path) == ["a.run-1.step-5.1700"]


def test_weights_that_cannot_be_written_are_told_of_and_leave_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    teacher = Teacher(tmp_path)
    assert not publisher(tmp_path, teacher).publish(3, fail)
    assert not teacher.requests
    assert names(tmp_path) == []
    assert "No space left" in caplog.text


def refused() -> httpx.Response:
    return httpx.Response(409, json={"title": "older step", "detail": "the teacher stands at step 14"})


def starting() -> httpx.Response:
    return httpx.Response(503, json={"title": "starting"})


def taken() -> httpx.Response:
    return httpx.Response(202, json={"version": 3, "alpha": 0.99})


def away() -> httpx.Response:
    raise httpx.ConnectError("refused")


def slow() -> httpx.Response:
    raise httpx.ReadTimeout("slow")


@pytest.mark.parametrize(("answer", "told"), [(refused, "stands at step 14"), (away, "refused"), (slow, "slow")])
def test_a_service_that_does_not_take_them_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: Callable[[], httpx.Response], told: str
):
    with caplog.at_level(logging.WARNING):
        assert not publisher(tmp_path, Teacher(tmp_path, answer)).publish(3, writing(b"three"))
    assert told in caplog.text
    assert names(tmp_path) == ["a.run-1.step-3.1700"]


def test_a_service_that_comes_back_is_told(tmp_path: Path):
    """Else the rollouts of that step would wait for its weights until their deadline."""
    answers = iter([away, starting, taken])
    teacher = Teacher(tmp_path, lambda: next(answers)())
    assert publisher(tmp_path, teacher, patience_s=30.0).publish(3, writing(b"three"))
    assert len({request.content for request in teacher.requests}) == 1
    assert len(teacher.requests) == 3


@pytest.mark.parametrize(("every", "due"), [(0, []), (1, [1, 2, 3, 4]), (2, [2, 4])])
def test_every_so_many_steps(tmp_path: Path, every: int, due: list[int]):
    made = publisher(tmp_path, Teacher(tmp_path), publish_every=every)
    assert [step for step in range(1, 5) if made.due(step)] == due


def test_the_environment_is_read():
    environ = {
        "CO_REWARDING_URL": "http://service",
        "CO_REWARDING_RUN": "r",
        "CO_REWARDING_API_KEY": "secret",
        "CO_REWARDING_WEIGHTS_DIR": "/weights",
        "CO_REWARDING_PUBLISH_EVERY": "5",
        "CO_REWARDING_SEED": "7",
        "CO_REWARDING_TEACHER": "1",
        "HOME": "/home/nobody",
    }
    settings = TrainingSettings.from_environment(environ)
    assert (settings.url, settings.run, settings.seed, settings.publish_every) == ("http://service", "r", 7, 5)
    assert settings.weights_dir == Path("/weights")
    assert settings.publishes
    assert settings.teacher
    assert settings.attempt > 1_700_000_000
    assert "secret" not in repr(settings)
    assert set(handed_down(environ)) == set(environ) - {"HOME"}
    assert not TrainingSettings.from_environment({}).publishes
    assert not TrainingSettings.from_environment({}).teacher


@pytest.mark.parametrize(
    "environ",
    [
        {"CO_REWARDING_PUBLISH_EVERY": "often"},
        {"CO_REWARDING_SEED": "-1"},
        {"CO_REWARDING_TEACHER": "yes"},
        {"CO_REWARDING_TEACHER": "1"},
        {"CO_REWARDING_PUBLISH_EVERY": "1", "CO_REWARDING_URL": "http://service"},
        {"CO_REWARDING_PUBLISH_EVERY": "1", "CO_REWARDING_WEIGHTS_DIR": "/weights"},
    ],
)
def test_what_cannot_be_is_refused(environ: dict[str, str]):
    with pytest.raises(TrainingSettingsError, match="CO_REWARDING_"):
        TrainingSettings.from_environment(environ)
