"""Uploads on a disk whose clock and free bytes are told, and a model to send there."""

import contextlib
import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reward_service.teaching.declarations import Declaration, DeclaredFile, UploadState
from reward_service.teaching.uploads import UploadLimits, Uploads

ROOMY = UploadLimits(10**9, 10**9, 100.0)


def safetensors(size: int, seed: int = 0) -> bytes:
    """Bytes that begin as the format does."""
    return (2).to_bytes(8, "little") + b"{}" + random.Random(seed).randbytes(size - 10)


CONTENTS = {"model.safetensors": safetensors(3000), "config.json": b'{"model_type": "llama"}'}


def declared(contents: dict[str, bytes], run: str = "math", step: int = 12) -> Declaration:
    files = [DeclaredFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items()]
    return Declaration(run, step, tuple(files))


@dataclass
class Disk:
    """A root whose clock and free bytes are told."""

    root: Path
    bounds: UploadLimits = ROOMY
    ahead_s: float = 0.0
    free: int = 10**9
    uploads: Uploads = field(init=False)

    def __post_init__(self) -> None:
        self.uploads = self.another()

    def another(self) -> Uploads:
        """As another process has it."""
        return Uploads(self.root, self.bounds, self._clock_s, lambda _: self.free)

    def names(self) -> set[str]:
        return {path.name for path in (self.root / "uploads").iterdir()} - {".lock"}

    def _clock_s(self) -> float:
        return max(path.stat().st_mtime for path in [self.root, *self.root.rglob("*")]) + self.ahead_s


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def send(uploads: Uploads, upload: str, name: str, data: bytes, offset: int = 0) -> int:
    with contextlib.closing(uploads.write(upload, name, offset)) as writer:
        writer.write(data)
        uploads.check(upload, writer)
        return writer.offset


def sent(uploads: Uploads, contents: dict[str, bytes], step: int = 12) -> UploadState:
    state = uploads.declare(declared(contents, step=step))
    for name, data in contents.items():
        send(uploads, state.declaration.id, name, data)
    return uploads.state(state.declaration.id)
