"""Read the header of a safetensors file, by the rules of the format's own library."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from co_rewarding_schema.errors import CoRewardingError


class WeightsFolderError(CoRewardingError):
    """Weights that cannot be taken, and the message says why: nothing has changed.

    They are no safetensors, damaged, of other names or shapes than the teacher's, or not finite.
    """


class AverageError(CoRewardingError):
    """The average cannot do what was asked of it; the message says what to change. It is as it was before."""


class OlderVersionError(AverageError):
    """An update of a step that the average is beyond: steps come in order."""


class OtherModelError(AverageError):
    """The folder keeps the average of another model than the one that was named."""


LENGTH_BYTES = 8
LONGEST_HEADER_BYTES = 100_000_000
"""As the format's own library has it."""

MOST_TENSORS = 200_000
"""Of a folder. The largest open mixtures of experts have half as many, each expert's matrices counted by themselves."""

METADATA = "__metadata__"
_LONGEST_NAME = 512
_LARGEST_RANK = 16
_LARGEST_DIMENSION = 1 << 48
_ALIGNMENT_BYTES = 64
_DESCRIBED = frozenset({"dtype", "shape", "data_offsets"})
_MOST_VALUES = _LARGEST_RANK + 8
"""Commas that the description of one tensor may take."""
_SPARE_VALUES = 1 << 16
"""Commas that may stand elsewhere: in metadata, and in names."""

Shape = tuple[int, ...]


class Dtype(StrEnum):
    """What tensors may consist of. All else is refused (floats of 64 or 8 bits): nothing that is trained has it."""

    F32 = "F32"
    F16 = "F16"
    BF16 = "BF16"
    I64 = "I64"
    I32 = "I32"
    I16 = "I16"
    I8 = "I8"
    U8 = "U8"
    BOOL = "BOOL"

    @property
    def is_float(self) -> bool:
        """Whether these are weights, which are averaged; all else are buffers, which are copied."""
        return self in {Dtype.F32, Dtype.F16, Dtype.BF16}

    @property
    def item_bytes(self) -> int:
        """The size of one element."""
        return _ITEM_BYTES[self]


_ITEM_BYTES: Mapping[Dtype, int] = {
    Dtype.F32: 4, Dtype.F16: 2, Dtype.BF16: 2, Dtype.I64: 8, Dtype.I32: 4, Dtype.I16: 2, Dtype.I8: 1, Dtype.U8: 1,
    Dtype.BOOL: 1,
}  # fmt: skip

_DTYPES: Mapping[str, Dtype] = {dtype.value: dtype for dtype in Dtype}


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies: in bytes [begin, end) of a file of the folder, from the file's own beginning."""

    dtype: Dtype
    shape: Shape
    file: str
    begin: int
    end: int

    @property
    def elements(self) -> int:
        """How many numbers it holds; 1 for a scalar, whose shape is empty."""
        return math.prod(self.shape)


def header_length(first_bytes: bytes, file: str, file_bytes: int) -> int:
    """The length of the header in bytes, from the first eight bytes of a file.

    Raises:
        WeightsFolderError: the file is too short for it, or it is longer than any header.
    """
    if len(first_bytes) < LENGTH_BYTES:
        raise _malformed(file, f"it has {file_bytes} bytes, fewer than the length of a header takes")
    length = int.from_bytes(first_bytes[:LENGTH_BYTES], "little")
    if length > LONGEST_HEADER_BYTES:
        raise _malformed(file, f"its header is said to have {length} bytes; the format allows {LONGEST_HEADER_BYTES}")
    if LENGTH_BYTES + length > file_bytes:
        raise _malformed(file, f"it is cut off: a header of {length} bytes does not fit its {file_bytes} bytes")
    return length


def parsed_header(header: bytes, told: str, file: str, file_bytes: int, most: int = MOST_TENSORS) -> dict[str, Tensor]:
    """The tensors of one file, `most` of them, by name, in order of their places. `told` is how messages name the file.

    Raises:
        WeightsFolderError: the header is not what the format demands; the message names file and tensor.
    """
    begin = LENGTH_BYTES + len(header)
    _check_amount(header, told, most)
    places: list[tuple[int, int, str, Tensor]] = []
    for name, described in _decoded(header, told).items():
        if name != METADATA:
            tensor = _tensor(name, described, told, file, begin)
            places.append((tensor.begin, tensor.end, name, tensor))
    places.sort()
    reached = begin
    for first, last, name, _ in places:
        if first != reached:
            kind = "overlaps what is before it" if first < reached else "leaves a hole before it"
            raise _malformed(told, f"{name!r} begins at byte {first - begin} of the data and {kind}")
        reached = last
    if reached != file_bytes:
        kind = "is cut off" if reached > file_bytes else "goes on after its last tensor"
        raise _malformed(told, f"it {kind}: its tensors end at byte {reached}, and it has {file_bytes}")
    return {name: tensor for _, _, name, tensor in places}


def written_header(
    tensors: Sequence[tuple[str, Dtype, Shape]], file: str, metadata: Mapping[str, str]
) -> tuple[bytes, dict[str, Tensor]]:
    """The first bytes of a file that holds these tensors one after the other, and their places.

    The data begin at a multiple of 64 bytes, so that tensors in order of falling element size are aligned when mapped.
    """
    places: dict[str, tuple[int, int]] = {}
    reached = 0
    for name, dtype, shape in tensors:
        places[name] = reached, reached + dtype.item_bytes * math.prod(shape)
        reached = places[name][1]
    described: dict[str, Any] = {METADATA: dict(metadata)}
    for name, dtype, shape in tensors:
        described[name] = {"dtype": dtype.value, "shape": list(shape), "data_offsets": list(places[name])}
    header = json.dumps(described, separators=(",", ":")).encode()
    header += b" " * (-(LENGTH_BYTES + len(header)) % _ALIGNMENT_BYTES)
    begin = LENGTH_BYTES + len(header)
    located = {
        name: Tensor(dtype, shape, file, begin + places[name][0], begin + places[name][1])
        for name, dtype, shape in tensors
    }
    return len(header).to_bytes(LENGTH_BYTES, "little") + header, located


def decoded_json(text: bytes, file: str) -> dict[str, Any]:
    """A JSON object in which no name comes twice.

    Raises:
        WeightsFolderError: it is none.
    """
    try:
        value = json.loads(text.decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as cause:
        raise _malformed(file, f"it holds no valid JSON object where it should ({str(cause)[:200]})") from cause
    if not isinstance(value, dict):
        raise _malformed(file, "it holds JSON where it should, but no object")
    return value


def _decoded(header: bytes, file: str) -> dict[str, Any]:
    if not header.startswith(b"{"):
        raise _malformed(file, "no header follows its first eight bytes; pickles (.bin, .pt) are never read")
    described = decoded_json(header, file)
    metadata = described.get(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _malformed(file, f"{METADATA} must be an object of texts")
    return described


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:_LONGEST_NAME]!r} comes twice")
        found[name] = value
    return found


def _check_amount(header: bytes, told: str, most: int) -> None:
    """Refuses what would take long to read, by what can be counted at once: JSON in which each tensor is an object."""
    tensors = header.count(b"{") - 1
    if tensors > most:
        raise WeightsFolderError(
            f"{told} describes about {tensors} tensors where {most} can be taken ({MOST_TENSORS} in a folder): "
            "store tensors that belong together as one"
        )
    if header.count(b",") > _SPARE_VALUES + _MOST_VALUES * max(tensors, 0):
        raise _malformed(told, "its header holds more values than its tensors can have")


def _tensor(name: str, described: object, told: str, file: str, begin: int) -> Tensor:
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise _malformed(told, f"{name[:_LONGEST_NAME]!r} is no name of a tensor")
    if not isinstance(described, dict) or described.keys() != _DESCRIBED:
        raise _no_description(name, told)
    word, shape, offsets = described["dtype"], described["shape"], described["data_offsets"]
    if not (isinstance(word, str) and isinstance(shape, list) and isinstance(offsets, list) and len(offsets) == 2):
        raise _no_description(name, told)
    dtype = _DTYPES.get(word)
    if dtype is None:
        raise _malformed(
            told, f"{name!r} is of dtype {word[:20]!r}: weights must be F32, F16 or BF16, buffers integers"
        )
    first, last = offsets
    if len(shape) > _LARGEST_RANK or not all(map(_is_size, (*shape, first, last))):
        raise _malformed(told, f"{name!r} has a shape or offsets that no tensor has")
    if last - first != dtype.item_bytes * math.prod(shape):
        raise _malformed(told, f"{name!r} is {dtype} of shape {shape}, and is given {last - first} bytes for it")
    return Tensor(dtype, tuple(shape), file, begin + first, begin + last)


def _no_description(name: str, told: str) -> WeightsFolderError:
    return _malformed(told, f"{name!r} must have dtype, shape and two data_offsets, and nothing else")


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST_DIMENSION


def _malformed(file: str, what: str) -> WeightsFolderError:
    return WeightsFolderError(f"{file} is not safetensors as the format wants it: {what}")
