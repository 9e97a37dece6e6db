"""Headers and indices that would take long to read are refused at once, whatever they hold."""

import time
from pathlib import Path

import pytest

from reward_service.teaching.safetensors_folder import read_manifest
from reward_service.teaching.safetensors_header import LONGEST_HEADER_BYTES, MOST_TENSORS, WeightsFolderError
from tests.support.weight_folders import INDEX

SOON_S = 3.0
"""CPU time; 20 MB of JSON that is read whole takes longer."""


def raw(header: bytes, data: int = 0) -> bytes:
    return len(header).to_bytes(8, "little") + header + bytes(data)


def described(tensors: int, prefix: str = "t") -> bytes:
    entry = '"{}{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'
    return ("{" + ",".join(entry.format(prefix, n) for n in range(tensors)) + "}").encode()


def refused(folder: Path) -> str:
    began_s = time.thread_time()
    with pytest.raises(WeightsFolderError) as told:
        read_manifest(folder)
    assert time.thread_time() - began_s < SOON_S
    assert len(str(told.value)) < 2000
    return str(told.value)


HOSTILE = {
    "many tensors": (
        lambda: described(1)[:-1] + b"," + described(1)[1:-1] * 500_000 + b"}",
        f"{MOST_TENSORS} can be taken",
    ),
    "many empty objects": (lambda: b"{" + b'"a":{},' * 3_000_000 + b'"b":{}}', "can be taken"),
    "a long list": (lambda: b'{"a":[' + b"0," * 10_000_000 + b"0]}", "more values"),
    "a long shape": (
        lambda: b'{"a":{"dtype":"U8","shape":[' + b"1," * 10_000_000 + b'1],"data_offsets":[0,0]}}',
        "more values",
    ),
    "metadata of many texts": (
        lambda: b'{"__metadata__":{' + b",".join(b'"%d":""' % n for n in range(200_000)) + b"}}",
        "more values",
    ),
    "deep lists": (lambda: b'{"a":' + b"[" * 5_000_000 + b"]" * 5_000_000 + b"}", "no valid JSON"),
    "deep objects": (lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "no valid JSON"),
    "a long name": (lambda: b'{"' + b"n" * 20_000_000 + b'":{}}', "no name of a tensor"),
    "a long number": (
        lambda: b'{"a":{"dtype":"U8","shape":[' + b"9" * 10_000_000 + b'],"data_offsets":[0,0]}}',
        "no valid JSON",
    ),
    "spaces": (lambda: b"{" + b" " * 50_000_000 + b'"a":1}', "must have dtype"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_header_that_would_take_long_is_refused_soon(tmp_path: Path, kind: str) -> None:
    make, word = HOSTILE[kind]
    tmp_path.joinpath("model.safetensors").write_bytes(raw(make()))
    assert word in refused(tmp_path)


def test_tensors_are_counted_over_all_files_and_as_many_as_can_be_taken_are(tmp_path: Path) -> None:
    tmp_path.joinpath("0.safetensors").write_bytes(raw(described(MOST_TENSORS)))
    assert len(read_manifest(tmp_path).tensors) == MOST_TENSORS
    tmp_path.joinpath("1.safetensors").write_bytes(raw(described(1, "more")))
    with pytest.raises(WeightsFolderError, match="describes about 1 tensors where 0 can be taken"):
        read_manifest(tmp_path)


def test_headers_are_measured_over_all_files(tmp_path: Path) -> None:
    header = b"{" + b" " * (LONGEST_HEADER_BYTES // 3) + b"}"
    for n in range(4):
        with tmp_path.joinpath(f"{n}.safetensors").open("wb") as file:
            file.write(raw(header))
    assert "bytes together" in refused(tmp_path)


@pytest.mark.parametrize("of", ["tensors", "files", "one"])
def test_an_index_that_would_take_long_is_refused_soon(tmp_path: Path, of: str) -> None:
    tmp_path.joinpath("a.safetensors").write_bytes(raw(b"{}"))
    entries = {
        "tensors": b",".join(b'"t%d":"a.safetensors"' % n for n in range(MOST_TENSORS + 2000)),
        "files": b",".join(b'"t%d":"%d.safetensors"' % (n, n) for n in range(MOST_TENSORS + 2000)),
        "one": b'"t":"a.safetensors",' * 1_000_000 + b'"t":"a.safetensors"',
    }[of]
    tmp_path.joinpath(INDEX).write_bytes(b'{"weight_map":{' + entries + b"}}")
    assert "longer than an index" in refused(tmp_path)
