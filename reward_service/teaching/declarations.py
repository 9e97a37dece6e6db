"""Declare uploads before their first byte: files with sizes and checksums; and the errors that refuse an upload."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property

from co_rewarding_schema.limits import WEIGHTS_FILE_PATTERN

from reward_service.teaching.intake import UPLOADS, IntakeError

MAX_FILES = 4096
ID_PATTERN = r"^[0-9a-f]{32}$"

_FILE_NAME = re.compile(WEIGHTS_FILE_PATTERN)


class UnknownUploadError(IntakeError):
    """No such upload, or no such file in it."""


class UploadBusyError(IntakeError):
    """Another request is writing the file."""


class TooLargeError(IntakeError):
    """More than may be sent, or than was declared."""


class FullError(IntakeError):
    """Uploads have taken what they may of the disk; there is room again when the teacher has taken some."""


class NoRoomError(IntakeError):
    """The disk is full."""


class SameNameError(IntakeError):
    """Two files of one name."""


class OffsetError(IntakeError):
    """Bytes that do not follow those that are there; `offset` is where to go on."""

    def __init__(self, name: str, offset: int) -> None:
        """Tell that `offset` bytes of the file have arrived."""
        super().__init__(f"{offset} bytes of {name} are here: go on from there, as Upload-Offset says")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class DeclaredFile:
    """A file to come: its size in bytes and the SHA-256 of its contents, in hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Declaration:
    """The weights of a step of a run, as the files that they lie in.

    Raises:
        SameNameError: a name comes twice.
        IntakeError: a name is none that a file of a model in safetensors has, or there are no files, or too many.
    """

    run: str
    step: int
    files: tuple[DeclaredFile, ...]

    def __post_init__(self) -> None:
        """Check the files' names."""
        names = [file.name for file in self.files]
        for name in names:
            if not _FILE_NAME.fullmatch(name):
                raise IntakeError(
                    f"a file {name[:200]!r} is not taken: send *.safetensors (names of letters, digits, '.', '_' and "
                    "'-'), model.safetensors.index.json and config.json, without folders"
                )
        if len(set(names)) < len(names):
            raise SameNameError("a file name comes twice: name each file once")
        if len(names) > MAX_FILES:
            raise IntakeError(f"{len(names)} files where at most {MAX_FILES} are taken: write fewer, larger shards")
        if not names:
            raise IntakeError("there is no file: send the weights as *.safetensors")

    @cached_property
    def id(self) -> str:
        """Return the id: the same for the same declaration, so that a repeated one finds its bytes."""
        files = sorted((file.name, file.size, file.sha256) for file in self.files)
        return hashlib.sha256(json.dumps([self.run, self.step, files]).encode()).hexdigest()[:32]

    @property
    def size(self) -> int:
        """Return the bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def folder(self) -> str:
        """Return the name of the whole upload's folder; the folder is hidden until then."""
        return f"{self.run}.step-{self.step}.{self.id}"

    @property
    def path(self) -> str:
        """Return the folder's path from the weights root, by which the weights are announced."""
        return f"{UPLOADS}/{self.folder}"

    def file(self, name: str) -> DeclaredFile:
        """Return the file of this name.

        Raises:
            UnknownUploadError: none was declared.
        """
        for file in self.files:
            if file.name == name:
                return file
        raise UnknownUploadError(f"no file {name!r} was declared for this upload: see GET for those that were")


@dataclass(frozen=True, slots=True)
class UploadState:
    """How much of an upload is here.

    `received_F` has the bytes of each declared file that are there, `path` is None until all are. `expires_at_s` (Unix
    time) is when it is removed if nothing more comes.
    """

    declaration: Declaration
    received_F: tuple[int, ...]
    expires_at_s: float
    path: str | None
