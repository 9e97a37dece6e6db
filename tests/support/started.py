"""Commands of ours as processes of their own, with all processes that come of them."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

CLI = [sys.executable, "-m", "reward_service"]


class Started:
    """A command that was just started, and all that comes of it."""

    def __init__(self, words: list[str], **environment: str) -> None:
        # Not pytest's folder: the path of a Unix socket is short. All children know it, so it tells which they are.
        self.folder = tempfile.mkdtemp(prefix="cr-start-")
        variables = {
            "CO_REWARDING_DATA_DIR": self.folder,
            "CO_REWARDING_REDIS_PATIENCE_S": "60",
            "CO_REWARDING_TEACHER_DIR": self.folder,
            **environment,
        }
        self.process = subprocess.Popen(
            ["env", "--default-signal=INT", *words],  # a shell's background job would ignore Ctrl-C from its start
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.said = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line.decode()

    def living(self) -> list[str]:
        """The commands of all processes that came of it and live."""
        found: list[str] = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.folder.encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
        return found

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(10)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def started(words: list[str], **environment: str) -> Iterator[Started]:
    made = Started(words, **environment)
    try:
        yield made
    finally:
        made.end()
