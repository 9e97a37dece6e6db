"""The command line in a process of its own each time, without waiting for its imports each time."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended; `code` is None for one that had to be killed."""

    code: int | None
    out: str
    err: str
    seconds: float


class CommandLine:
    """Calls commands, each in a fork of a process that has imported them."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def __call__(
        self, words: Sequence[object], *, folder: Path, timeout_s: float = 90.0, environment: Mapping[str, str] = {}
    ) -> Ended:
        asked = {
            "words": [str(word) for word in words],
            "folder": str(folder),
            "environment": dict(environment),
            "timeout_s": timeout_s,
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        return Ended(**json.loads(self._server.stdout.readline()))


@contextmanager
def command_line() -> Iterator[CommandLine]:
    """Commands as long as the context lasts."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CO_REWARDING_")}
    environment = plain | {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.commands.calling"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=REPOSITORY,
    ) as server:  # fmt: skip
        try:
            yield CommandLine(server)
        finally:
            assert server.stdin is not None
            server.stdin.close()
            server.wait(30)


def _serve() -> None:
    import reward_service.__main__
    import reward_service.cli  # noqa: F401 - so that a fork has it

    for line in sys.stdin:
        asked = json.loads(line)
        began_s = time.monotonic()
        files = [Path(asked["folder"]) / name for name in (".out", ".err")]
        child = os.fork()
        if child == 0:
            _become(asked, files)
        code = _wait(child, asked["timeout_s"])
        out, err = (file.read_text(errors="replace") for file in files)
        print(json.dumps({"code": code, "out": out, "err": err, "seconds": time.monotonic() - began_s}), flush=True)


def _become(asked: dict[str, object], files: list[Path]) -> None:
    import reward_service.__main__

    os.setsid()
    for number, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(str(asked["folder"]))
    environment, words = asked["environment"], asked["words"]
    assert isinstance(environment, dict)
    assert isinstance(words, list)
    os.environ.update(environment)
    sys.argv = ["co-rewarding", *words]
    code = 70
    try:
        reward_service.__main__.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _wait(child: int, timeout_s: float) -> int | None:
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


if __name__ == "__main__":
    _serve()
