"""Folders of safetensors: what tensors they hold, and whether these are a model's, by their headers alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from reward_service.generation.errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Tensors:
    """The tensors of a folder: which file holds each, and their shapes."""

    folder: Path
    file_of: Mapping[str, Path]
    shape_of: Shapes


def read_tensors(folder: Path) -> Tensors:
    """What is in the *.safetensors of a folder, from their headers.

    Raises:
        WeightsError: there is none, one cannot be read, or two hold a tensor of the same name.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise WeightsError(f"{folder} holds no *.safetensors")
    file_of: dict[str, Path] = {}
    shape_of: dict[str, tuple[int, ...]] = {}
    for file in files:
        try:
            with safe_open(file, framework="np") as tensors:
                for name in tensors.keys():  # noqa: SIM118 - not a dictionary
                    if name in file_of:
                        raise WeightsError(f"{name} is both in {file_of[name]} and in {file}")
                    file_of[name] = file
                    shape_of[name] = tuple(tensors.get_slice(name).get_shape())
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"{file} cannot be read as safetensors: {error}") from error
    return Tensors(folder, file_of, shape_of)


def tied_names(folder: Path) -> frozenset[str]:
    """The tensors that a model in this folder may leave out, by its config.json: an output layer tied to the input."""
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{folder}/config.json cannot be read: {error}") from error
    text_config = config.get("text_config", {})
    tied = config.get("tie_word_embeddings", text_config.get("tie_word_embeddings", False))
    return frozenset({"lm_head.weight"} if tied else ())


def check_fit(given: Tensors, expected: Shapes, optional: frozenset[str]) -> None:
    """Returns if the folder holds the expected tensors, all of them and nothing else.

    `optional` names tensors that another one stands for, so that they may be there or not.

    Raises:
        WeightsError: tensors are missing, too many or of another shape; it names some of each.
    """
    found = given.shape_of
    wrong = {
        "missing": sorted(expected.keys() - found.keys() - optional),
        "not the model's": sorted(found.keys() - expected.keys() - optional),
        "of another shape": [
            f"{name} {list(found[name])} instead of {list(expected[name])}"
            for name in sorted(found.keys() & expected.keys())
            if found[name] != expected[name]
        ],
    }
    if any(wrong.values()):
        told = "; ".join(f"{kind}: {_some(names)}" for kind, names in wrong.items() if names)
        raise WeightsError(f"the weights in {given.folder} do not fit the model: {told}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
