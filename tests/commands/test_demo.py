"""A demo that could not train is refused in seconds, in words, and leaves nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from co_rewarding_schema.methods import METHODS

from tests.commands.calling import CommandLine, Ended, command_line
from tests.support.service import running

TAUGHT = [name for name, row in METHODS.items() if row.needs_teacher]
LACKING = {"verified-majority": "weighs ballots by"}
NOTHING = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def call() -> Iterator[CommandLine]:
    with command_line() as calls:
        yield calls


@pytest.fixture(scope="module")
def untaught() -> Iterator[str]:
    """A service without a teacher."""
    with running() as supervisor:
        yield supervisor.url


def refused(call: CommandLine, folder: Path, *words: str) -> Ended:
    """The demo with these words, which said why not and left nothing."""
    (folder / "weights").mkdir()
    ended = call(["demo", "--steps", "1", *words], folder=folder)
    assert ended.code == 2, ended
    assert "Traceback" not in ended.err
    assert {path.name for path in folder.iterdir()} == {"weights", ".out", ".err"}, "not even an empty runs/demo"
    return ended


def told(ended: Ended) -> str:
    """What is in the box of a usage error, without its frame."""
    return " ".join(" ".join(line.strip("│╭╮╰╯─ ") for line in ended.err.splitlines()).split())


@pytest.mark.parametrize("method", TAUGHT)
def test_a_service_without_a_teacher_is_told_in_seconds(
    call: CommandLine, tmp_path: Path, untaught: str, method: str
) -> None:
    words = ["--url", untaught, "--weights-root", "weights", "--method", "majority-voting", "--method", method]
    ended = refused(call, tmp_path, *words)
    (line,) = ended.err.splitlines()
    assert line.startswith(f"co-rewarding: the service at {untaught} has no teacher, which {method} needs: give it one")
    assert "serve --teacher " in line
    assert ended.out == "", "nothing was trained before"
    assert ended.seconds < 60, "of which 10 are patience with a teacher that is to see the run"


@pytest.mark.parametrize("method", TAUGHT)
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--url", NOTHING], "with --url need it"),
        (["--url", NOTHING, "--weights-root", "absent"], "absent is no folder here"),
        (["--weights-root", "weights"], "it is for --url; the service that the demo starts has its own"),
    ],
)
def test_the_weights_root_is_there_or_told_of(
    call: CommandLine, tmp_path: Path, method: str, words: list[str], why: str
) -> None:
    ended = refused(call, tmp_path, "--method", method, *words)
    assert "--weights-root" in ended.err
    assert why in told(ended)


@pytest.mark.parametrize(("method", "why"), LACKING.items())
@pytest.mark.parametrize("url", [[], ["--url", NOTHING]])
def test_a_method_that_needs_what_the_demo_lacks_is_refused(
    call: CommandLine, tmp_path: Path, method: str, why: str, url: list[str]
) -> None:
    said = told(refused(call, tmp_path, "--method", "majority-voting", "--method", method, *url))
    assert f"{method} {why}" in said
    choices = said.partition("choose one of ")[2].split(", ")
    assert sorted(choices) == sorted(set(METHODS) - set(LACKING))


def test_the_choices_in_the_help_are_those_that_can_be_trained_with(call: CommandLine, tmp_path: Path) -> None:
    said = told(call(["demo", "--help"], folder=tmp_path))
    out = call(["demo", "--help"], folder=tmp_path).out
    assert said == ""
    assert all(name in out for name in set(METHODS) - set(LACKING))
    assert not any(name in out for name in LACKING)


@pytest.mark.parametrize(("option", "value"), [("--task", "absent"), ("--start", "absent")])
def test_a_task_or_a_start_that_there_is_not_is_refused(
    call: CommandLine, tmp_path: Path, option: str, value: str
) -> None:
    said = refused(call, tmp_path, "--method", "majority-voting", option, value).err
    assert "'absent'" in said
    assert ("chains" if option == "--task" else "own-habits") in said


def test_a_service_that_is_not_there_leaves_no_folder(call: CommandLine, tmp_path: Path) -> None:
    (line, *_, last) = refused(call, tmp_path, "--url", NOTHING).err.splitlines()
    assert "GET /version" in line
    assert last.startswith(f"co-rewarding: --url {NOTHING}: ")


def test_a_method_that_is_named_twice_is_trained_with_once(call: CommandLine, tmp_path: Path, untaught: str) -> None:
    words = ["demo", "--steps", "1", "--out", "out", "--url", untaught, "--weights-root", "not/needed"]
    ended = call([*words, *("--method", "majority-voting") * 2], folder=tmp_path)
    assert ended.code == 0, ended
    assert ended.out.count("│ majority-voting") == 1
    assert "Warning" not in ended.err, ended.err
    assert "Loading weights" not in ended.err, ended.err


def test_the_ground_truth_of_test_questions_is_not_for_training(call: CommandLine, tmp_path: Path) -> None:
    said = told(refused(call, tmp_path, "--test-time", "--method", "ground-truth"))
    assert "ground-truth needs the ground truth of the test questions" in said
