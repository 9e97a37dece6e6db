"""Find or fetch the folder of a model, and compare other weights with it by the headers of safetensors."""

import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from reward_service.errors import SettingsError
from reward_service.generation.generator import WeightsError
from reward_service.generation.tied import differing_output, tied_output

_NEEDED = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt"]
"""No pickles, no code."""


def model_folder(model: str) -> Path:
    """Return the folder of a model; where there is no folder of the name the hub's model is fetched.

    Raises:
        SettingsError: it is neither.
    """
    folder = Path(model).expanduser()
    if (folder / "config.json").is_file():
        return folder.resolve()
    if folder.exists() or model.startswith((".", "/", "~")):
        raise SettingsError(f"{model} holds no model: a folder with a config.json and *.safetensors is needed")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=_NEEDED))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise SettingsError(f"{model} is no folder here, and the Hugging Face hub does not give it: {error}") from error


Shapes = Mapping[str, tuple[int, ...]]
_NAMED = 5
_LENGTH_BYTES = 8
"""At the beginning of a file of safetensors: how long its header is."""


@dataclass(frozen=True, slots=True)
class Tensors:
    """The tensors of a folder: which file holds each, and their shapes."""

    folder: Path
    file_of: Mapping[str, Path]
    shape_of: Shapes


def read_tensors(folder: Path) -> Tensors:
    """Read from their headers what the *.safetensors of a folder hold.

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


def check_model(given: Tensors, model: Path) -> None:
    """Check that a folder holds the tensors of the model in another folder; a tied output layer may be missing.

    Raises:
        WeightsError: tensors are missing, too many or of another shape, or a tied output layer is not its embedding.
    """
    try:
        config = json.loads((model / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{model}/config.json cannot be read: {error}") from error
    expected = read_tensors(model).shape_of
    tied = tied_output(expected, config)
    check_fit(given, expected, frozenset(tied[:1] if tied else ()))
    if tied is not None and tied[0] in given.file_of and not _same(given, *tied):
        raise WeightsError(differing_output(str(given.folder), *tied))


def _same(given: Tensors, one: str, other: str) -> bool:
    """Return whether two tensors are equal to the byte. Files are compared: NumPy may not know the tensors' types."""
    (first, told), (second, told_too) = (_stored(given.file_of[name], name) for name in (one, other))
    return told == told_too and first == second


def _stored(file: Path, name: str) -> tuple[memoryview, str]:
    """Return a tensor's bytes, mapped, and its type."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        entry = json.loads(stream.read(length))[name]
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    begin, end = (_LENGTH_BYTES + length + offset for offset in entry["data_offsets"])
    return memoryview(mapped)[begin:end], entry["dtype"]


def check_fit(given: Tensors, expected: Shapes, optional: frozenset[str]) -> None:
    """Check that a folder holds the expected tensors, all of them and nothing else.

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
