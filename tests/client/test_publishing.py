"""Weights are written, named when they are whole, announced, and removed when nobody reads them any more."""

import logging
from pathlib import Path
from typing import Any

import pytest
from co_rewarding_client import Conflict
from co_rewarding_client.publishing import WeightPublisher


class Service:
    """Takes weights, and looks at them as they are announced."""

    def __init__(self, root: Path, newest: int = 0) -> None:
        self._root, self._newest = root, newest
        self.taken: list[tuple[int, str, bool, str]] = []

    def publish(self, step: int, folder: Any, *, upload: bool = False) -> None:
        if step < self._newest:
            raise Conflict(409, "Conflict", "the teacher is ahead")
        text = (self._root / folder / "model.safetensors").read_text()
        self.taken.append((step, Path(folder).name, upload, text))


def written(publisher: WeightPublisher, step: int) -> None:
    publisher.write(step, lambda folder: (folder / "model.safetensors").write_text(f"weights {step}"))


def test_a_folder_has_its_name_when_it_is_whole_and_the_last_two_stay(tmp_path: Path) -> None:
    publisher, service = WeightPublisher("math", tmp_path, attempt=7), Service(tmp_path)
    for step in (1, 2, 3):
        written(publisher, step)
        assert not (tmp_path / f"math.step-{step}.7").exists()
        publisher.announce(service, step)  # type: ignore[arg-type]
    assert service.taken == [(step, f"math.step-{step}.7", False, f"weights {step}") for step in (1, 2, 3)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["math.step-2.7", "math.step-3.7"]
    assert (tmp_path / "math.step-3.7" / "model.safetensors").stat().st_mode & 0o777 == 0o644


def test_what_is_uploaded_is_removed_at_once(tmp_path: Path) -> None:
    publisher, service = WeightPublisher("math", tmp_path, upload=True), Service(tmp_path)
    written(publisher, 1)
    publisher.announce(service, 1)  # type: ignore[arg-type]
    assert service.taken == [(1, "math.step-1.0", True, "weights 1")]
    assert not list(tmp_path.iterdir())


def test_a_teacher_that_is_ahead_after_a_resume_keeps_its_weights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publisher, service = WeightPublisher("math", tmp_path), Service(tmp_path, newest=5)
    written(publisher, 4)
    with caplog.at_level(logging.WARNING):
        publisher.announce(service, 4)  # type: ignore[arg-type]
    assert "weights of step 4 are not taken, and training goes on: 409 Conflict: the teacher is ahead" in caplog.text
    written(publisher, 5)
    publisher.announce(service, 5)  # type: ignore[arg-type]
    assert [step for step, *_ in service.taken] == [5]
