"""What a person meets first: an install without an extra, the version, defaults in the help, no service."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reward_service import __version__
from reward_service.settings import Settings
from tests.commands.calling import REPOSITORY, CommandLine, command_line
from tests.support.ports import free_port
from tests.support.started import CLI, started
from tests.support.waiting import wait_until

COMMANDS = [
    "serve",
    "worker",
    "teacher",
    "paraphraser",
    "demo",
    "train",
    "loadtest",
    "score",
    "replay",
    "export",
    "watch",
    "status",
    "track",
    "paraphrase",
    "--help",
]


@pytest.fixture(scope="module")
def call() -> Iterator[CommandLine]:
    with command_line() as calls:
        yield calls


def bare(*words: str) -> subprocess.CompletedProcess[str]:
    """The command where nothing but Python and our own code is installed."""
    path = [str(REPOSITORY), str(REPOSITORY / "clients")]
    program = f"import sys; sys.path[:0] = {path}; from reward_service.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-S", "-I", "-c", program, *words], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_base_install_says_in_a_line_which_extra_is_needed(command: str) -> None:
    done = bare(command)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "which the extra 'server' installs" in line
    assert "pip install '.[server]' in a clone" in line
    assert "pip install 'co-rewarding[server]' where an index has it" in line


def test_a_base_install_knows_its_version() -> None:
    done = bare("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "missing", "extra"),
    [
        (["demo"], "torch", "local"),
        (["teacher", "--model", "m", "--redis-url", "redis://127.0.0.1:9"], "numpy", "local"),
        (["train", "cpu-smoke", "--dry-run"], "co_rewarding_trainer.openrlhf.command", None),
        (["loadtest"], "matplotlib", "loadtest"),
        (["loadtest"], "locust", "loadtest"),
    ],
)
def test_an_install_without_an_extra_says_which(
    words: list[str], missing: str, extra: str | None, tmp_path: Path
) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; from reward_service.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    if extra is None:  # a part of ours that is missing is a fault, and told as one
        assert "Traceback" in done.stderr
        return
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"needs {missing}, which the extra '{extra}' installs" in line
    assert f"pip install '.[{extra}]' in a clone" in line


def test_the_version(call: CommandLine, tmp_path: Path) -> None:
    for words in (["--version"], ["version"]):
        ended = call(words, folder=tmp_path)
        assert (ended.code, ended.out) == (0, f"{__version__}\n")


@pytest.mark.parametrize("command", ["serve", "teacher", "paraphraser"])
def test_help_shows_the_defaults_of_the_settings(call: CommandLine, tmp_path: Path, command: str) -> None:
    told = call([command, "--help"], folder=tmp_path).out
    lines = told.splitlines()
    shown = 0
    for name, field in Settings.model_fields.items():
        line = next((each for each in lines if f"CO_REWARDING_{name.upper()}]" in each), None)
        if line is not None and field.default is not None:
            assert f"[default: ({field.default})]" in line
            shown += 1
    assert shown >= {"serve": 5, "teacher": 2, "paraphraser": 1}[command]


def test_a_demo_against_a_service_that_is_not_there_ends_in_seconds(call: CommandLine, tmp_path: Path) -> None:
    ended = call(["demo", "--url", "http://127.0.0.1:9"], folder=tmp_path)
    assert ended.code == 2
    first, *_, last = ended.err.splitlines()
    assert "GET /version at http://127.0.0.1:9 failed, try 1" in first
    assert first.endswith("for up to 5 s")
    assert last.startswith("co-rewarding: --url http://127.0.0.1:9: GET /version")
    assert ended.seconds < 60, "of which 5 are patience, on a machine that does something else besides"


def test_serve_says_where_everything_is() -> None:
    port = free_port()
    words = [*CLI, "serve", "--port", str(port), "--workers", "0"]
    with started(words, CO_REWARDING_LOG_JSON="false", CO_REWARDING_LOG_LEVEL="ERROR") as one:
        wait_until(lambda: "  log " in one.said, 120.0)
        told = one.said.splitlines()
        url = f"http://127.0.0.1:{port}"
        assert told[0] == f"co-rewarding {__version__} at {url}"
        places = dict(line.split(maxsplit=1) for line in told[1:5])
        assert places["page"] == f"{url}/"
        assert places["docs"] == f"{url}/docs"
        assert places["store"].startswith("unix://")
        assert places["log"] == "here, on standard error, from level ERROR on"


NOISY = """
import logging, sys, warnings
import click
from reward_service.cli import app

@app.command()
def noisy():
    warnings.warn("of a library")
    logging.getLogger("library").warning("a warning of a library")
    logging.getLogger("library").error("an error of a library")
    logging.getLogger("co_rewarding_client").warning("a word of ours")

app(["noisy"])
"""


@pytest.mark.parametrize(
    ("asked", "told"),
    [([], ["an error of a library", "a word of ours"]), (["-Wdefault"], ["of a library", "a warning of a library"])],
)
def test_libraries_do_not_warn_between_bars_unless_asked(asked: list[str], told: list[str]) -> None:
    words = [sys.executable, *asked, "-c", NOISY]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    lines = done.stderr.splitlines()
    if asked:
        assert all(any(word in line for line in lines) for word in told)
    else:
        assert lines == told


LOSES_CTRL_C = """
import os, signal, sys, weakref
from reward_service.errors import Needing

class Module:
    pass

def collected(_):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(10_000):
        pass

module = Module()
reference = weakref.ref(module, collected)
with Needing("a command", "server"):
    del module
print("lives")
"""


def test_ctrl_c_in_an_import_is_not_lost() -> None:
    """An exception that is raised where a module's lock is collected, as an import does, is ignored by Python."""
    words = ["env", "--default-signal=INT", sys.executable, "-c", LOSES_CTRL_C]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "")
