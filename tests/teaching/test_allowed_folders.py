"""Which folders weights may come from."""

import os
from pathlib import Path

import pytest

from reward_service.teaching.intake import IntakeError, remove_upload, resolve


def folder(root: Path, name: str, *files: str) -> Path:
    """A folder below the root with these files in it."""
    made = root / name
    made.mkdir(parents=True)
    for file in files or ("model.safetensors",):
        made.joinpath(file).write_bytes(b"weights")
    return made


@pytest.mark.parametrize("name", ["step-12", "qwen3/math.step-12.0", "a/b/c", "ein Ordner", "重み", "a..b"])
def test_a_folder_below_the_root_is_found(tmp_path: Path, name: str) -> None:
    made = folder(tmp_path, name, "config.json", "model-00001-of-00001.safetensors", "model.safetensors.index.json")
    assert resolve(tmp_path, name) == made


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "no path"),
        ("step\0-12", "no path"),
        ("step\n12", "no path"),
        ("step-\ud800", "no path"),
        ("..\\step", "no path"),
        ("C:\\weights", "no path"),
        ("/etc", "absolute"),
        ("//etc", "absolute"),
        (".", "empty part"),
        ("..", "empty part"),
        ("../outside", "empty part"),
        ("step-12/../../outside", "empty part"),
        ("step-12/", "empty part"),
        ("a//step-12", "empty part"),
        ("./step-12", "empty part"),
        (".step-12", "hidden"),
        ("uploads/.math.step-12", "hidden"),
        ("missing", "no folder"),
        ("step-12/missing", "no folder"),
        ("x" * 5000, "cannot be read"),
        ("step-12/model.safetensors", "no folder, in one"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str, words: str) -> None:
    root = tmp_path / "root"
    folder(root, "step-12")
    folder(root, ".step-12")
    folder(root, "uploads/.math.step-12")
    folder(tmp_path, "outside")
    with pytest.raises(IntakeError, match=words):
        resolve(root, name)


@pytest.mark.parametrize("target", ["../outside", "/tmp", "real", "real/../real", "gone"])
def test_a_link_is_not_followed_wherever_it_stands(tmp_path: Path, target: str) -> None:
    root = tmp_path / "root"
    folder(root, "real")
    folder(tmp_path, "outside/inner")
    (root / "link").symlink_to(target)
    for name in ("link", "link/inner"):
        with pytest.raises(IntakeError, match="symbolic link"):
            resolve(root, name)


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    folder(tmp_path / "disk", "step-12")
    (tmp_path / "root").symlink_to("disk")
    assert resolve(tmp_path / "root", "step-12") == tmp_path / "root" / "step-12"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "notes.txt"])
def test_a_link_in_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    made = folder(tmp_path, "step-12", "model-00001-of-00002.safetensors")
    (made / name).symlink_to("/etc/passwd")
    with pytest.raises(IntakeError, match=rf"{name}.* symbolic link"):
        resolve(tmp_path, "step-12")


def test_weights_are_files(tmp_path: Path) -> None:
    made = folder(tmp_path, "step-12", "config.json")
    with pytest.raises(IntakeError, match=r"holds no \*\.safetensors"):
        resolve(tmp_path, "step-12")
    os.mkfifo(made / "model.safetensors")  # opened for reading, it would hold the reader for ever
    with pytest.raises(IntakeError, match="is not a file"):
        resolve(tmp_path, "step-12")


def test_a_root_that_is_not_mounted_is_told(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="mount it, or set CO_REWARDING_WEIGHTS_ROOT"):
        resolve(tmp_path / "root", "step-12")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_of_someone_else_is_told(tmp_path: Path) -> None:
    folder(tmp_path, "step-12").chmod(0)
    with pytest.raises(IntakeError, match="let the service's user read it"):
        resolve(tmp_path, "step-12")


UPLOADED = "uploads/math.step-12.0123456789abcdef0123456789abcdef"


def test_an_upload_that_was_taken_is_removed(tmp_path: Path) -> None:
    made = folder(tmp_path, UPLOADED)
    assert remove_upload(tmp_path, UPLOADED)
    assert not made.exists()
    assert list((tmp_path / "uploads").iterdir()) == []
    assert not remove_upload(tmp_path, UPLOADED)


@pytest.mark.parametrize(
    "path",
    [
        "math.step-12.0123456789abcdef0123456789abcdef",
        "uploads",
        "uploads/mine",
        f"uploads/{UPLOADED}",
        f"{UPLOADED}/..",
        f"../root/{UPLOADED}",
        "uploads/../math.step-12.0123456789abcdef0123456789abcdef",
        f"/{UPLOADED}",
        f"{UPLOADED}\n",
    ],
)
def test_nothing_else_is_ever_removed(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    there = [folder(root, UPLOADED.removeprefix("uploads/")), folder(root, "uploads/mine"), folder(root, UPLOADED)]
    assert not remove_upload(root, path)
    assert all(made.is_dir() for made in there)


def test_nothing_is_removed_behind_a_link(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", folder(tmp_path, UPLOADED)
    root.mkdir()
    (root / "uploads").symlink_to(tmp_path / "uploads")
    assert not remove_upload(root, UPLOADED)
    (root / "uploads").unlink()
    (root / "uploads").mkdir()
    (root / UPLOADED).symlink_to(outside)
    remove_upload(root, UPLOADED)
    assert (outside / "model.safetensors").exists()
