"""Folders of safetensors, as trainers and hubs write them and as they should not be."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

INDEX = "model.safetensors.index.json"
CONFIG: Mapping[str, Any] = {"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": False, "dtype": "bfloat16"}


def raw_file(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """The bytes of a file with this header (JSON, or bytes as they are), which is said to be `length` bytes long."""
    told = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(told) if length is None else length).to_bytes(8, "little") + told + data


def entry(begin: int, end: int, shape: list[int] | None = None, dtype: str = "F32") -> dict[str, Any]:
    """How a header tells of one tensor; without a shape it has one of 4-byte numbers."""
    return {"dtype": dtype, "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


def write_model(
    folder: Path,
    tensors: Mapping[str, np.ndarray],
    *,
    files: int = 1,
    index: bool = True,
    config: Mapping[str, Any] | None = None,
) -> Path:
    """A folder with these tensors in so many files, by the format's own library, and a config.json."""
    folder.mkdir(parents=True)
    names = sorted(tensors)
    shards = [names[number::files] for number in range(files)]
    file_of: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        file = "model.safetensors" if files == 1 else f"model-{number:05}-of-{files:05}.safetensors"
        save_file({name: np.asarray(tensors[name]) for name in shard}, folder / file, {"format": "pt"})
        file_of |= dict.fromkeys(shard, file)
    if files > 1 and index:
        (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": file_of}))
    (folder / "config.json").write_text(json.dumps(CONFIG if config is None else config))
    return folder


def weights(seed: int, scale: float = 0.02, **shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Normal float32 numbers."""
    made = np.random.default_rng(seed)
    return {name: np.asarray(scale * made.standard_normal(shape), np.float32) for name, shape in shapes.items()}
