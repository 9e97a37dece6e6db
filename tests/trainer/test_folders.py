"""Folders are made when they are needed: whoever is refused before leaves none, and takes nobody else's away."""

from pathlib import Path

import pytest
from co_rewarding_trainer.folders import made_folder, try_folder


def test_a_trial_leaves_what_there_was(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for folder in ("new", "deep/er/still", "there", "there/new"):
        try_folder(tmp_path / folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_what_can_be_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file/below", Path("/proc/nobody/makes/this"), tmp_path / ("x" * 300)):
        with pytest.raises(OSError):  # noqa: PT011 - of several kinds
            try_folder(folder)
    assert (tmp_path / "file").read_text() == "mine"


def failing(folder: Path, written: Path | None = None) -> None:
    with made_folder(folder):
        assert folder.is_dir()
        if written is not None:
            written.write_text("somebody's")
        raise RuntimeError


def test_a_folder_goes_with_what_failed_in_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        failing(tmp_path / "a/b")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError):
        failing(tmp_path / "a/b", tmp_path / "a/file")
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["a", "file"]
    with made_folder(tmp_path / "a/b"):
        pass
    assert (tmp_path / "a/b").is_dir()
