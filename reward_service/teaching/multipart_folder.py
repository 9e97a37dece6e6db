"""Weights that come in one go: files of which nothing is known before they are here."""

import contextlib
import hashlib
import os
from io import FileIO

from reward_service.teaching.allowed_folders import discard
from reward_service.teaching.declarations import Declaration, DeclaredFile, SameNameError, TooLargeError, check_name
from reward_service.teaching.upload_files import check_format, opened_file, write_all
from reward_service.teaching.upload_folders import opened_folder, reveal, write_notes


class Receiving:
    """A hidden folder that files are written into, one after the other; removed by `close` unless it was kept."""

    def __init__(self, uploads: int, name: str, promised: int) -> None:
        """Takes over the descriptor `uploads`, the folder of uploads, in which `name` is; at most `promised` bytes."""
        self._uploads = uploads
        self._name = name
        self._promised = promised
        self._folder = opened_folder(uploads, name)
        self._received = 0
        self._file: FileIO | None = None
        self._file_name = ""
        self._digest = hashlib.sha256()
        self._files: list[DeclaredFile] = []

    def begin(self, name: str) -> None:
        """What is written from now on is in the file `name`.

        Raises:
            SameNameError: it was there already.
            IntakeError: no model has such a file.
        """
        check_name(name)
        try:
            self._file = opened_file(self._folder, name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except FileExistsError as cause:
            raise SameNameError(f"the file {name} comes twice: send each file once") from cause
        self._file_name = name
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Appends to the file that was begun.

        Raises:
            TooLargeError: more than was promised.
            NoRoomError: the disk is full.
        """
        assert self._file is not None
        self._received += len(data)
        if self._received > self._promised:
            raise TooLargeError(f"more came than the {self._promised} bytes that were promised")
        self._digest.update(data)
        write_all(self._file, data)

    def end(self) -> None:
        """The file is whole.

        Raises:
            IntakeError: it is not what its name says.
        """
        assert self._file is not None
        size = os.fstat(self._file.fileno()).st_size
        check_format(self._file, self._file_name)
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        self._files.append(DeclaredFile(self._file_name, size, self._digest.hexdigest()))

    def keep(self, run: str, step: int) -> Declaration:
        """Gives the folder the name that these weights have; the same weights again are kept once.

        Raises:
            IntakeError: no model is made of these files.
        """
        declaration = Declaration(run, step, tuple(self._files))
        write_notes(self._folder, declaration.encoded())
        reveal(self._uploads, self._name, declaration.folder)
        return declaration

    def close(self) -> None:
        """Removes what was not kept."""
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, self._uploads)
            stack.callback(os.close, self._folder)
            if self._file is not None:
                self._file.close()
            discard(self._uploads, self._name)
