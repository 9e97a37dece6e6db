"""Every option of every command with values that cannot be: it is told in words, and ends; never by a traceback."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from reward_service.cli import app
from reward_service.settings import Settings
from tests.commands.calling import CommandLine, Ended, command_line

NOTHING = "http://127.0.0.1:9"  # where nobody listens
NO_INTEGER = ["x", "-1", "9" * 30]
NO_NUMBER = ["x", "-1", "nan"]
NO_FOLDER = ["a-file", "/proc/nobody/makes/this"]
NO_ROOT = ["a-file", "a-file/below"]  # one that is not there yet may be mounted later
NO_FILE = ["absent", "a-folder", "not-text"]
NO_URL = ["nonsense", "ftp://x", "http://127.0.0.1:99999", NOTHING]
NO_NAME = ["nonsense", ""]
FIELD = ["absent"]
ANY = "any text is a value"
REDIS = "tests/integration/test_supervision.py has what is no URL of a Redis"
RAY = "Ray is not installed here: tests/on_ray has what is no service and no cluster"
MODEL = "the name of a model is known to be none only when it is opened: tests/generation/test_opening.py"

# What is given beside the hostile option, so that nothing else is wrong.
BASE: dict[str, list[str]] = {
    "serve": ["--port", "0", "--data-dir", "data"],
    "worker": ["--redis-url", "redis://127.0.0.1:9"],
    "teacher": ["--redis-url", "redis://127.0.0.1:9", "--model", "a-folder"],
    "paraphraser": ["--redis-url", "redis://127.0.0.1:9", "--model", "a-folder"],
    "demo": ["--steps", "1", "--method", "majority-voting"],
    "experiment": ["smoke"],
    "signs": ["a-folder"],
    "train": ["cpu-smoke"],
    "loadtest": ["--url", NOTHING, "--seconds", "1"],
    "version": [],
    "score": ["rollouts.jsonl", "--url", NOTHING],
    "replay": ["rollouts.jsonl"],
    "export": ["a-run", "out.parquet", "--url", NOTHING],
    "explain": ["a-question", "--url", NOTHING],
    "watch": ["a-run", "--url", NOTHING, "--once"],
    "status": ["--url", NOTHING],
    "track": ["a-run", "a-place", "--to", "tensorboard", "--url", NOTHING],
    "paraphrase rewrite": ["questions.jsonl", "out.jsonl", "--model", f"openai:{NOTHING}/v1#m"],
    "paraphrase audit": ["questions.jsonl"],
    "keys new": ["a-name", "--scope", "read"],
    "keys check": ["keys.toml"],
    "ray up": ["service.toml"],
    "ray status": [],
    "ray down": [],
}

FIELDS = {
    f"--{name}-field": FIELD
    for name in (
        "question", "response", "ground-truth", "view", "rollout", "step", "rollouts", "paraphrase-rollouts",
        "self-certainty", "entropy", "verified", "confidence",
    )
}  # fmt: skip

HOSTILE: dict[str, dict[str, list[str] | str]] = {
    "serve": {
        "--host": ["nonsense.invalid", "256.1.1.1", "a..b", "x" * 300, "0.0.0.0"],
        "--port": [*NO_INTEGER, "65536", "{taken}"],
        "--redis-url": REDIS,
        "--workers": [*NO_INTEGER, "100000"],
        "--api-processes": [*NO_INTEGER, "0", "100000"],
        "--data-dir": [*NO_FOLDER, "x" * 300, "x/" * 60],
        "--api-keys-file": NO_FILE,
        "--weights-root": NO_ROOT,
        "--teacher": MODEL,
        "--paraphraser": MODEL,
    },
    "worker": {"--redis-url": REDIS, "--processes": [*NO_INTEGER, "0"]},
    "teacher": {
        "--model": MODEL,
        "--redis-url": REDIS,
        "--weights-root": NO_ROOT,
        "--teacher-dir": NO_ROOT,
        "--backend": NO_NAME,
        "--name": ANY,
        "--mapped": ANY,
    },
    "paraphraser": {
        "--model": MODEL,
        "--redis-url": REDIS,
        "--backend": NO_NAME,
        "--capacity": [*NO_INTEGER, "0", "100000"],
    },
    "demo": {
        "--out": NO_FOLDER,
        "--steps": [*NO_INTEGER, "0"],
        "--seed": NO_INTEGER,
        "--method": ["nonsense", "verified-majority"],
        "--start": NO_NAME,
        "--task": NO_NAME,
        "--test-time": ANY,
        "--record": ANY,
        "--url": NO_URL,
        "--api-key": "it is sent with --url: tests/client/test_client_trouble.py",
        "--weights-root": ["a-folder"],  # without --url; with it: tests/commands/test_demo.py
    },
    "experiment": {
        "SUITE": [*NO_FILE, "smok"],
        "--out": NO_FOLDER,
        "--jobs": [*NO_INTEGER, "0"],
        "--reuse": [*NO_FOLDER, "a-folder", "not-text"],
        "--test-time": ANY,
        "--url": NO_URL,
        "--api-key": "it is sent with --url: tests/client/test_client_trouble.py",
        "--weights-root": ["a-folder"],  # without --url
    },
    "signs": {
        "FOLDER": [*NO_FOLDER, "a-folder", "not-text"],
        "--out": NO_FOLDER,
        "--within": [*NO_INTEGER, "0"],
        "--row": ANY,
    },
    "train": {
        "RECIPE": [*NO_FILE, "cpu-smok"],
        "--dry-run": ANY,
        "--url": NO_URL,
        "--api-key": ["ключ", "a b"],
        "--output": NO_FOLDER,
        "--set": ["nonsense", "=", "training.absent=1", "training.seed=x"],
        "--resume": ANY,
    },
    "loadtest": {
        "--url": NO_URL,
        "--api-key": ["ключ", "a\nb"],
        "--traffic": NO_NAME,
        "--rate": [*NO_NUMBER, "0", "inf"],
        "--seconds": [*NO_NUMBER, "0", "inf", "1e9"],
        "--batch": [*NO_INTEGER, "0", "7"],
        "--prompts": [*NO_INTEGER, "0"],
        "--most-rollouts": [*NO_INTEGER, "0"],
        "--workers": [*NO_INTEGER, "0"],
        "--metrics": NO_URL,
        "--out": NO_FOLDER,
        "--seed": ["x", "1.5"],
        "--web": [*NO_INTEGER, "99999", "{taken}"],
    },
    "version": {},
    "score": {
        "FILE": NO_FILE,
        "--method": NO_NAME,
        "--out": ["a-folder", "a-file/below", "/proc/nobody"],
        "--url": NO_URL,
        "--api-key": ["ключ", "a b"],
        "--run": ["a/b", "x" * 300],
        "--rollouts-per-request": [*NO_INTEGER, "0", "5000"],
        "--plain-answers": ANY,
        **FIELDS,
    },
    "replay": {
        "FILE": NO_FILE,
        "--method": NO_NAME,
        "--grader": NO_NAME,
        "--answer-format": NO_NAME,
        "--end-token": ["", "x" * 300],
        "--thinking": NO_NAME,
        "--conventions": NO_NAME,
        "--reference": NO_NAME,
        "--json": ["a-folder", "a-file/below", "/proc/nobody"],
        "--plain-answers": ANY,
        "--view": ["nonsense", "original=absent.jsonl", "original=rollouts.jsonl"],
        "--teacher": ["absent.jsonl", "nonsense=rollouts.jsonl"],
        "--peer": ["absent.jsonl", "nonsense=rollouts.jsonl"],
        "--set": ["nonsense", "=", "group_size=x", "absent=1"],
        "--markdown": ["a-folder", "a-file/below", "/proc/nobody"],
        "--picture": ["a-folder", "a-file/below.png", "/proc/nobody.png", "picture.txt"],
        **FIELDS,
    },
    "export": {
        "RUN": ["", "a/b", "x" * 300, ".."],
        "OUT": ["a-folder", "a-file/below", "/proc/nobody", "out.jsonl"],
        "--url": NO_URL,
        "--api-key": ["ключ", "a b"],
        "--all": ANY,
        "--teacher": ["a-folder", "a-file/below", "/proc/nobody", "out.parquet"],
    },
    "explain": {
        "WHAT": ["", "a~b"],
        "--run": ["", "a/b", "x" * 300, ".."],
        "--step": NO_INTEGER,
        "--url": NO_URL,
        "--api-key": ["ключ", "a b"],
    },
    "watch": {
        "RUN": ["", "a/b", "x" * 300, ".."],
        "--url": NO_URL,
        "--api-key": ["ключ", "a b"],
        "--every": [*NO_NUMBER, "0"],
        "--once": ANY,
    },
    "keys new": {
        "NAME": ["", "a b", "x" * 300, '"', "\n"],
        "--scope": NO_NAME,
        "--runs": ["", "a/b", "x" * 300],
        "--rollouts-per-s": [*NO_NUMBER, "0", "inf"],
        "--rollouts-burst": [*NO_NUMBER, "9"],
        "--bytes-per-s": [*NO_NUMBER, "0", "20 yards"],
        "--bytes-burst": [*NO_NUMBER, "9"],
        "--held-requests": [*NO_INTEGER, "0"],
    },
    "keys check": {"FILE": NO_FILE},
    "status": {"--url": NO_URL, "--api-key": ["ключ", "a b"]},
    "track": {
        "RUN": ["", "a/b", "x" * 300, ".."],
        "PLACE": "a service that answers is asked for first: tests/watch/test_track.py",
        "--to": NO_NAME,
        "--url": NO_URL,
        "--api-key": ["ключ", "a b"],
        "--every": [*NO_NUMBER, "0"],
        "--quiet": NO_NUMBER,
        "--once": ANY,
    },
    "paraphrase rewrite": {
        "IN": NO_FILE,
        "OUT": ["a-folder", "out.txt", "a-file/out.jsonl", "/proc/nobody.jsonl"],
        "--model": ["openai:", "openai:nonsense#m", "openai:http://#m", "openai:http://127.0.0.1:99999#m", "absent/"],
        "--prompt": NO_NAME,
        "--candidates": [*NO_INTEGER, "0"],
        "--temperature": NO_NUMBER,
        "--top-p": [*NO_NUMBER, "2"],
        "--max-tokens": [*NO_INTEGER, "0"],
        "--seed": ["x", "1.5"],
        "--backend": NO_NAME,
        "--engine": ["nonsense", "=", "=1"],
        "--api-key": ["ключ", "a\nb"],
        "--concurrency": [*NO_INTEGER, "0"],
        "--skip": NO_NAME,
        "--answers": ["x", "-1"],
        "--least-agreement": [*NO_NUMBER, "2"],
        "--embeddings": ANY,
        "--least-similarity": NO_NUMBER,
        "--unmarked": ANY,
        "--fallback": NO_NAME,
        "--most-doubt": [*NO_NUMBER, "2"],
        "--doubtful": [*NO_NUMBER, "2"],
        "--question-field": FIELD,
        "--ground-truth-field": ANY,
        "--question-id-field": ANY,
    },
    "paraphrase audit": {
        "FILE": NO_FILE,
        "--out": NO_FOLDER,
        "--processes": [*NO_INTEGER, "0", "65"],
        "--skip": NO_NAME,
        "--most-doubt": [*NO_NUMBER, "2"],
        "--question-field": FIELD,
        "--paraphrase-field": FIELD,
        "--ground-truth-field": ANY,
        "--question-id-field": ANY,
    },
    "ray up": {"CONFIG": [*NO_FILE, "a-file"], "--address": RAY, "--within-s": NO_NUMBER},
    "ray status": {"--name": RAY, "--address": RAY},
    "ray down": {"--name": RAY, "--address": RAY},
}


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command of the app, by the words that call it."""
    for name, command in group.commands.items():
        words = f"{before} {name}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, words)
        else:
            yield words, command


def named(parameter: Any) -> str:
    option = parameter.opts[0]
    return option if option.startswith("--") else parameter.metavar or option.upper()


def cases() -> list[Any]:
    """Every option of every command with each of its hostile values."""
    return [
        pytest.param(command, option, value, id=f"{command} {option} {value[:20]!r}")
        for command, options in HOSTILE.items()
        for option, values in options.items()
        if isinstance(values, list)
        for value in values
    ]


def test_every_option_of_every_command_is_in_the_table() -> None:
    found = {
        words: {named(each) for each in command.params} for words, command in commands(typer.main.get_command(app))
    }
    assert found == {words: set(options) for words, options in HOSTILE.items()}


@pytest.fixture(scope="module")
def call() -> Iterator[CommandLine]:
    with command_line() as calls:
        yield calls


@pytest.fixture(scope="module")
def taken() -> Iterator[str]:
    """A port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a-file").write_text("nothing of use\n")
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "not-text").write_bytes(b"\xff\xfe\x00\x80" * 100)
    rollouts = [{"question_id": "q", "view": "original", "response": f"\\boxed{{{n}}}"} for n in (4, 4, 5)]
    questions = [{"question": "What is 2 and 2?", "paraphrase": "What are 2 and 2?", "ground_truth": "4"}]
    for name, rows in (("rollouts", rollouts), ("questions", questions)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def given(command: str, option: str, value: str) -> list[str]:
    """The command with this value in place of its own."""
    words = list(BASE[command])
    if option.startswith("--"):
        if option in words:
            at = words.index(option)
            del words[at : at + 2]
        words.append(f"{option}={value}")
    else:
        words[{"OUT": 1}.get(option, 0)] = value
    return [*command.split(), *words]


def assert_told(ended: Ended, words: list[str]) -> None:
    """It ended by itself, in words."""
    assert ended.code in {1, 2}, (words, ended)
    assert "Traceback" not in ended.err + ended.out, (words, ended)
    assert ended.err.strip(), (words, ended)
    assert len(ended.err) < 3000, (words, ended)


@pytest.mark.parametrize(("command", "option", "value"), cases())
def test_a_value_that_cannot_be_is_told_in_words(
    call: CommandLine, folder: Path, taken: str, command: str, option: str, value: str
) -> None:
    words = given(command, option, value.replace("{taken}", taken))
    assert_told(call(words, folder=folder), words)


def nonsense(field: Any) -> str | None:
    """A value of the environment that no setting of this type can have; None where any text will do."""
    if field.metadata or field.annotation in {int, float, bool, int | None, float | None, bool | None}:
        return "nonsense"
    return "[" if any(kind in str(field.annotation) for kind in ("list", "dict")) else None


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if nonsense(field)])
def test_nonsense_in_the_environment_is_told_by_its_name(call: CommandLine, folder: Path, name: str) -> None:
    variable = f"CO_REWARDING_{name.upper()}"
    value = nonsense(Settings.model_fields[name])
    assert value is not None
    options = [] if name == "port" else ["--port", "0"]
    ended = call(["serve", *options, "--data-dir", "data"], folder=folder, environment={variable: value})
    assert_told(ended, [variable])
    assert name in ended.err.lower()
    assert "CO_REWARDING_" in ended.err
