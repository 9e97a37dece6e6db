"""Announced weights, looked at before anything is done with them: where they lie, and whether they are this model's."""

import json
from pathlib import Path
from typing import Any

from reward_service.teaching.allowed_folders import IntakeError, resolve
from reward_service.teaching.errors import WeightsFolderError
from reward_service.teaching.manifest import Manifest, compare
from reward_service.teaching.safetensors_folder import read_manifest
from reward_service.teaching.safetensors_header import Dtype, Tensor


def check_weights(root: Path, path: str, model: bytes | None) -> Path:
    """The folder `path` below the weights root, if its headers say that it holds this model's weights.

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
    """What weights of a model must look like, as JSON: to be kept where those who take them can compare."""
    tensors = {name: [tensor.dtype.value, list(tensor.shape)] for name, tensor in manifest.tensors.items()}
    repeated = {name: list(shape) for name, shape in manifest.repeated.items()}
    return json.dumps({"tensors": tensors, "repeated": repeated}, separators=(",", ":")).encode()


def _described(model: bytes) -> Manifest:
    said: dict[str, Any] = json.loads(model)
    tensors = {name: Tensor(Dtype(dtype), tuple(shape), "", 0, 0) for name, (dtype, shape) in said["tensors"].items()}
    return Manifest(tensors, {name: tuple(shape) for name, shape in said["repeated"].items()})
