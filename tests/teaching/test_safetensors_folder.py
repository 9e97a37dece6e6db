"""What a folder of safetensors holds, and what is refused before anything is done with it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from reward_service.teaching.safetensors_folder import WeightsFolder, checksum, read_manifest
from reward_service.teaching.safetensors_header import (
    Dtype,
    WeightsFolderError,
    header_length,
    parsed_header,
    written_header,
)
from tests.support.weight_folders import INDEX, entry, raw_file, weights, write_model

SHAPES = {"embed": (5, 4), "norm": (4,), "scalar": (), "none": (0, 3)}


def folder_of(tmp_path: Path, **files: bytes) -> Path:
    """A folder `step-1`; a name's __ is a dot."""
    made = tmp_path / "step-1"
    made.mkdir()
    for name, content in files.items():
        made.joinpath(name.replace("__", ".")).write_bytes(content)
    return made


@pytest.mark.parametrize(("files", "index"), [(1, False), (3, True), (3, False)])
def test_whatever_the_files_every_tensor_is_found_and_read(tmp_path: Path, files: int, index: bool) -> None:
    tensors = weights(0, **SHAPES)
    made = write_model(tmp_path / "step-1", tensors, files=files, index=index)
    made.joinpath("pytorch_model.bin").write_bytes(b"a pickle that is not opened")
    os.mkfifo(made / "optimizer.pt")  # opened, it would be waited for
    with WeightsFolder(made) as folder:
        assert {name: tensor.shape for name, tensor in folder.manifest.tensors.items()} == SHAPES
        for name, tensor in folder.manifest.tensors.items():
            read = np.empty(tensor.shape, np.float32)
            folder.read_into(memoryview(read.reshape(-1)).cast("B"), tensor)
            np.testing.assert_array_equal(read, tensors[name])


def test_a_part_of_a_tensor_is_read(tmp_path: Path) -> None:
    tensors = weights(0, x=(100,))
    with WeightsFolder(write_model(tmp_path / "step-1", tensors)) as folder:
        part = np.empty(10, np.float32)
        folder.read_into(memoryview(part).cast("B"), folder.manifest.tensors["x"], 4 * 37)
    np.testing.assert_array_equal(part, tensors["x"][37:47])


X = {"x": entry(0, 8)}
EIGHT = bytes(8)
MALFORMED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "fewer than the length"),
    "shorter than a length": (b"\x08\0\0", "fewer than the length"),
    "a header longer than the file": (raw_file(X, EIGHT, length=500), "cut off"),
    "a header of exabytes": (raw_file(X, EIGHT, length=1 << 60), "the format allows 100000000"),
    "a header one byte too long": (raw_file(X, EIGHT, length=len(json.dumps(X)) + 1), "no valid JSON"),
    "a header one byte too short": (raw_file(X, EIGHT, length=len(json.dumps(X)) - 1), "no valid JSON"),
    "a pickle": (b"\x80\x04\x95" + bytes(60), "cut off|allows"),
    "a header of nothing": (raw_file(b""), "no header follows"),
    "a list": (raw_file([]), "no header follows"),
    "not UTF-8": (raw_file(b'{"\xff": {}}'), "no valid JSON"),
    "nested without end": (raw_file(b'{"x":' + b"[" * 100_000), "no valid JSON"),
    "a number of thousands of digits": (raw_file(b'{"x": ' + b"9" * 5000 + b"}"), "no valid JSON"),
    "a name twice": (raw_file(b'{"x": ' + json.dumps(X["x"]).encode() + b', "x": 1}', EIGHT), "'x' comes twice"),
    "metadata of numbers": (raw_file({"__metadata__": {"step": 1}} | X, EIGHT), "object of texts"),
    "a tensor that is a text": (raw_file({"x": "F32"}), "'x' must have dtype"),
    "a tensor without a shape": (raw_file({"x": {"dtype": "F32", "data_offsets": [0, 8]}}, EIGHT), "must have dtype"),
    "something more of a tensor": (raw_file({"x": entry(0, 8) | {"file": "/etc"}}, EIGHT), "and nothing else"),
    "three offsets": (raw_file({"x": entry(0, 8) | {"data_offsets": [0, 4, 8]}}, EIGHT), "two data_offsets"),
    "64-bit floats": (raw_file({"x": entry(0, 8, [1], "F64")}, EIGHT), "'x' is of dtype 'F64'"),
    "8-bit floats": (raw_file({"x": entry(0, 8, [8], "F8_E4M3")}, EIGHT), "'x' is of dtype 'F8_E4M3'"),
    "an unknown dtype": (raw_file({"x": entry(0, 8, [2], "float32")}, EIGHT), "is of dtype 'float32'"),
    "a negative size": (raw_file({"x": entry(0, 8, [-1, -2])}, EIGHT), "that no tensor has"),
    "a size that is a float": (raw_file({"x": entry(0, 8) | {"shape": [2.0]}}, EIGHT), "that no tensor has"),
    "a size that is true": (raw_file({"x": entry(0, 4) | {"shape": [True]}}, bytes(4)), "that no tensor has"),
    "a size beyond any memory": (raw_file({"x": entry(0, 8) | {"shape": [1 << 62, 0]}}, EIGHT), "no tensor has"),
    "a hundred dimensions": (raw_file({"x": entry(0, 8) | {"shape": [1] * 99 + [2]}}, EIGHT), "no tensor has"),
    "more than its shape takes": (raw_file({"x": entry(0, 8, [1])}, EIGHT), "is given 8 bytes"),
    "less than its shape takes": (raw_file({"x": entry(0, 8, [3])}, EIGHT), "is given 8 bytes"),
    "an end before its beginning": (raw_file({"x": entry(8, 0, [2])}, EIGHT), "is given -8 bytes"),
    "an overlap": (raw_file({"x": entry(0, 8), "y": entry(4, 12)}, bytes(12)), "'y' begins at byte 4 .* overlaps"),
    "two in one place": (raw_file({"x": entry(0, 8), "y": entry(0, 8)}, EIGHT), "overlaps"),
    "a hole at the beginning": (raw_file({"x": entry(4, 12)}, bytes(12)), "'x' begins at byte 4 .* hole"),
    "a hole between": (raw_file({"x": entry(0, 8), "y": entry(12, 20)}, bytes(20)), "'y' begins at byte 12 .* hole"),
    "data cut off": (raw_file(X, bytes(7)), "is cut off"),
    "data too long": (raw_file(X, bytes(9)), "goes on after its last tensor"),
    "a name of nothing": (raw_file({"": entry(0, 8)}, EIGHT), "is no name"),
    "a name with an end of line": (raw_file({"x\ny": entry(0, 8)}, EIGHT), "is no name"),
    "a name that is half a character": (raw_file({"\ud800": entry(0, 8)}, EIGHT), "is no name"),
    "a name that is a book": (raw_file({"x" * 9999: entry(0, 8)}, EIGHT), "is no name"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_the_format_does_not_allow_is_refused(tmp_path: Path, case: str) -> None:
    content, words = MALFORMED[case]
    made = folder_of(tmp_path, model__safetensors=content)
    with pytest.raises(WeightsFolderError, match=words) as raised:
        read_manifest(made)
    assert str(raised.value).startswith("step-1/model.safetensors")
    assert len(str(raised.value)) < 1000


def test_a_well_formed_neighbour_of_all_these_is_taken(tmp_path: Path) -> None:
    made = folder_of(tmp_path, model__safetensors=raw_file(X | {"__metadata__": {"step": "1"}}, EIGHT))
    assert read_manifest(made).shapes == {"x": (2,)}


def linked(made: Path) -> None:
    made.joinpath("model.safetensors").rename(made.parent / "elsewhere")
    made.joinpath("model.safetensors").symlink_to(made.parent / "elsewhere")


def piped(made: Path) -> None:
    made.joinpath("model.safetensors").unlink()
    os.mkfifo(made / "model.safetensors")


def a_folder(made: Path) -> None:
    made.joinpath("model.safetensors").unlink()
    made.joinpath("model.safetensors").mkdir()


def pickled(made: Path) -> None:
    made.joinpath("model.safetensors").rename(made / "pytorch_model.bin")


def of_two_files(made: Path) -> None:
    made.joinpath("other.safetensors").write_bytes(made.joinpath("model.safetensors").read_bytes())


def indexed(weight_map: object) -> Callable[[Path], None]:
    def change(made: Path) -> None:
        made.joinpath(INDEX).write_text(json.dumps({"weight_map": weight_map}))

    return change


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link": (linked, "model.safetensors is a symbolic link"),
    "a pipe": (piped, "model.safetensors is no file"),
    "a folder in a file's place": (a_folder, "model.safetensors is no file"),
    "pickles alone": (pickled, r"holds no \*.safetensors"),
    "a tensor in two files": (of_two_files, "'x' is both in model.safetensors and in other.safetensors"),
    "an index of a tensor that is not there": (
        indexed({"x": "model.safetensors", "y": "model.safetensors"}), "'y' is in no file, and in model.safetensors by"
    ),
    "an index of a file that is not there": (indexed({"x": "other.safetensors"}), "other.safetensors is not readable"),
    "an index that leads out": (indexed({"x": "../model.safetensors"}), "of its own folder"),
    "an index to a pickle": (indexed({"x": "pytorch_model.bin"}), "of its own folder"),
    "an index of numbers": (indexed({"x": 1}), "of its own folder"),
    "an index without files": (indexed({}), r"holds no \*.safetensors"),
    "an index that is no object": (lambda made: made.joinpath(INDEX).write_text("[]") and None, "no object"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_folder_that_is_not_as_it_should_be_is_refused(tmp_path: Path, case: str) -> None:
    change, words = REFUSED[case]
    made = write_model(tmp_path / "step-1", weights(0, x=(2,)))
    change(made)
    with pytest.raises(WeightsFolderError, match=words):
        read_manifest(made)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "step-1", weights(0, x=(2,)))
    tmp_path.joinpath("link").symlink_to(tmp_path / "step-1")
    for name in ("missing", "link", "step-1/model.safetensors"):
        with pytest.raises(WeightsFolderError, match="is no folder that can be read"):
            read_manifest(tmp_path / name)


def test_links_are_followed_where_the_operator_names_the_folder(tmp_path: Path) -> None:
    """As a hub's cache has them."""
    made = write_model(tmp_path / "step-1", weights(0, x=(2,)))
    linked(made)
    assert read_manifest(made, links=True).shapes == {"x": (2,)}


def test_an_index_says_which_files_count(tmp_path: Path) -> None:
    made = write_model(tmp_path / "step-1", weights(0, x=(2,), y=(3,)), files=2)
    made.joinpath("consolidated.safetensors").write_bytes(save(weights(0, x=(2,), y=(3,))))
    assert read_manifest(made).shapes == {"x": (2,), "y": (3,)}
    made.joinpath(INDEX).unlink()
    with pytest.raises(WeightsFolderError, match="is both in"):
        read_manifest(made)


def test_what_was_opened_is_read_whatever_becomes_of_the_folder(tmp_path: Path) -> None:
    tensors = weights(0, x=(1000,))
    made = write_model(tmp_path / "step-1", tensors)
    read = np.zeros(1000, np.float32)
    with WeightsFolder(made) as folder:
        made.rename(tmp_path / "gone")
        write_model(made, weights(1, x=(1000,)))
        folder.read_into(memoryview(read).cast("B"), folder.manifest.tensors["x"])
        np.testing.assert_array_equal(read, tensors["x"])
        os.truncate(tmp_path / "gone" / "model.safetensors", 500)
        with pytest.raises(WeightsFolderError, match="became shorter"):
            folder.read_into(memoryview(read).cast("B"), folder.manifest.tensors["x"])


def test_the_checksum_is_that_of_the_files_in_order_of_name(tmp_path: Path) -> None:
    made = write_model(tmp_path / "step-1", weights(0, a=(2,), b=(3,), c=(600_000,)), files=3)
    content = b"".join(made.joinpath(f"model-0000{number}-of-00003.safetensors").read_bytes() for number in (1, 2, 3))
    assert checksum(made) == hashlib.sha256(content).hexdigest()
    made.joinpath("config.json").unlink()
    assert checksum(made) == hashlib.sha256(content).hexdigest()
    linked_file = made / "model-00002-of-00003.safetensors"
    linked_file.rename(tmp_path / "elsewhere")
    linked_file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WeightsFolderError, match="symbolic link"):
        checksum(made)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=20),
        st.tuples(
            st.sampled_from([Dtype.F32, Dtype.BF16, Dtype.I64, Dtype.BOOL]), st.lists(st.integers(0, 9), max_size=4)
        ),
        max_size=8,
    ),
    st.dictionaries(st.text(), st.text(), max_size=3),
)
def test_a_header_that_was_written_is_read_again(
    tensors: dict[str, tuple[Dtype, list[int]]], metadata: dict[str, str]
) -> None:
    described = [(name, dtype, tuple(shape)) for name, (dtype, shape) in tensors.items()]
    begin, located = written_header(described, "x.safetensors", metadata)
    size = max((tensor.end for tensor in located.values()), default=len(begin))
    assert header_length(begin[:8], "x.safetensors", size) == len(begin) - 8
    assert parsed_header(begin[8:], "x", "x.safetensors", size) == located
    assert len(begin) % 64 == 0


@given(st.binary(max_size=200), st.integers(0, 300))
def test_no_header_is_anything_but_read_or_refused(header: bytes, size: int) -> None:
    for content in (header, b'{"x":' + header + b"}"):
        try:
            parsed_header(content, "x", "x.safetensors", size)
        except WeightsFolderError:
            continue


def test_the_reader_needs_nothing_but_the_standard_library() -> None:
    """The API imports it, and runs without torch, numpy and numba."""
    looked = (
        "import sys, reward_service.teaching.safetensors_folder, reward_service.teaching.manifest; "
        "print(sorted({'torch', 'numpy', 'numba', 'safetensors'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True, check=True).stdout == "[]\n"
