"""Decide which weights are taken: folders below one root with the tensors of the teacher's model."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from co_rewarding_schema.errors import CoRewardingError

from reward_service.teaching.manifest import Manifest, compare
from reward_service.teaching.safetensors_folder import read_manifest
from reward_service.teaching.safetensors_header import Dtype, Tensor, WeightsFolderError

UPLOADS = "uploads"
"""The folder below the root in which uploads lie; the service removes what it has taken from there, and only there."""

_UPLOAD_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.step-\d+\.[0-9a-f]{32}")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LONGEST_TOLD = 200


class IntakeError(CoRewardingError):
    """Weights that cannot be taken; the message says what was wrong and what to do."""


@contextlib.contextmanager
def opened(root: Path, *parts: str) -> Iterator[int]:
    """Open a folder below `root`, without following a symbolic link below it, and yield its descriptor.

    Raises:
        OSError: it is not there; ENOTDIR where a part is a connection, or no folder.
    """
    folder = os.open(root, _FOLDER)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def resolve(root: Path, name: str) -> Path:
    """Return the folder `name` below `root`, such as "step-12" or "qwen3/step-12", which holds safetensors.

    What is checked holds at the moment of the check. Who may write below the root may put a link in the folder's place
    afterwards, so the process that reads the weights calls this too, right before it reads; what such a link can
    still do is to pass other safetensors, of this model's names and shapes, for these. Give write access to the root
    to trainers only.

    Raises:
        IntakeError: the name leads elsewhere, or there are no weights that may be read.
    """
    parts = _parts(name)
    if not root.is_dir():
        raise IntakeError(f"the weights root {root} is not there: mount it, or set CO_REWARDING_WEIGHTS_ROOT")
    told = repr(name)
    try:
        with opened(root, *parts) as folder:
            _check_contents(folder, told)
    except FileNotFoundError as cause:
        raise IntakeError(
            f"there is no folder {told} below the weights root: publish a folder when it is whole, "
            "by its path from there, to a service that has the same disk"
        ) from cause
    except NotADirectoryError as cause:
        raise IntakeError(
            f"{told} is a symbolic link or no folder, in one of its parts: publish the folder itself"
        ) from cause
    except OSError as cause:
        raise IntakeError(
            f"the folder {told} cannot be read ({cause.strerror}): let the service's user read it"
        ) from cause
    return root.joinpath(*parts)


def remove_upload(root: Path, path: str) -> bool:
    """Remove weights that came by upload and have been taken. Any other path is left alone, and is False."""
    parts = path.split("/")
    if len(parts) != 2 or parts[0] != UPLOADS or not _UPLOAD_FOLDER.fullmatch(parts[1]):
        return False
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), opened(root, UPLOADS) as uploads:
        return discard(uploads, parts[1])
    return False


def discard(uploads: int, name: str) -> bool:
    """Remove a folder in such a way that nobody sees half of it; False if there was none."""
    gone = f".gone.{uuid4().hex}"
    try:
        os.rename(name, gone, src_dir_fd=uploads, dst_dir_fd=uploads)
    except FileNotFoundError:
        return False
    shutil.rmtree(gone, ignore_errors=True, dir_fd=uploads)  # a link in its place is not followed
    return True


def _parts(name: str) -> list[str]:
    told = repr(name[:_LONGEST_TOLD])
    if not name or not name.isprintable() or "\\" in name:
        raise IntakeError(f"{told} is no path: give a folder's path from the weights root, its parts joined by '/'")
    if name.startswith("/"):
        raise IntakeError(f"{told} is an absolute path: give the folder's path from the weights root")
    parts = name.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise IntakeError(f"{told} has an empty part, '.' or '..': give the folder's plain path from the weights root")
    if any(part.startswith(".") for part in parts):
        raise IntakeError(f"{told} is hidden, as folders are that are being written: rename it when it is whole")
    return parts


def _check_contents(folder: int, told: str) -> None:
    weights = False
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise IntakeError(f"{entry.name!r} in {told} is a symbolic link: publish copies, not links")
            if entry.name.endswith(".safetensors"):
                if not entry.is_file(follow_symlinks=False):
                    raise IntakeError(f"{entry.name!r} in {told} is not a file: publish weights as safetensors files")
                weights = True
    if not weights:
        raise IntakeError(f"{told} holds no *.safetensors: publish weights in that format")


def check_weights(root: Path, path: str, model: bytes | None) -> Path:
    """Return the folder `path` below the weights root, if its headers say that it holds this model's weights.

    `model` is what `description` made of it; None where no teacher has said yet what it is. The contents are read, and
    found finite or not, when they are averaged.

    Raises:
        IntakeError: they cannot be taken, and why.
    """
    folder = resolve(root, path)
    try:
        found = read_manifest(folder)
    except WeightsFolderError as cause:
        raise IntakeError(str(cause)) from cause
    difference = None if model is None else compare(_described(model), found)
    if difference is not None:
        raise IntakeError(difference)
    return folder


def description(manifest: Manifest) -> bytes:
    """Describe as JSON how weights of a model must look, for those who compare new weights with it."""
    tensors = {name: [tensor.dtype.value, list(tensor.shape)] for name, tensor in manifest.tensors.items()}
    repeated = {name: list(shape) for name, shape in manifest.repeated.items()}
    return json.dumps({"tensors": tensors, "repeated": repeated}, separators=(",", ":")).encode()


def _described(model: bytes) -> Manifest:
    said: dict[str, Any] = json.loads(model)
    tensors = {name: Tensor(Dtype(dtype), tuple(shape), "", 0, 0) for name, (dtype, shape) in said["tensors"].items()}
    return Manifest(tensors, {name: tuple(shape) for name, shape in said["repeated"].items()})
