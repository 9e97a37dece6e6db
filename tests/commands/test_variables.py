"""A variable of the environment that is none of ours is told of, with the one that was meant."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reward_service.serving.children import unknown_variables
from reward_service.settings import PREFIX, Settings
from tests.commands.calling import REPOSITORY, CommandLine, command_line
from tests.support.started import CLI, started
from tests.support.waiting import wait_until

NAME = re.compile(rf"{PREFIX}[A-Z][A-Z_]*[A-Z]\b")
MISSPELT = PREFIX + "WORKRS"


@pytest.fixture(scope="module")
def call() -> Iterator[CommandLine]:
    with command_line() as calls:
        yield calls


def test_every_name_in_the_repository_is_known() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    files = [REPOSITORY / name for name in listed.stdout.split("\0") if name] or list(REPOSITORY.rglob("*.py"))
    names = {
        name
        for file in files
        if file.is_file() and file.suffix in {"", ".py", ".md", ".yml", ".yaml", ".toml", ".sh"}
        for name in NAME.findall(file.read_text(errors="replace"))
    }
    assert len(names) > 40
    assert unknown_variables(names) == []


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_misspelt_setting_is_told_with_the_right_one(name: str) -> None:
    variable = f"{PREFIX}{name.upper()}"
    assert unknown_variables([variable, variable.lower()]) == []
    (told,) = unknown_variables([variable + "X"])
    assert told == f"{variable}X in the environment is unknown and changes nothing: did you mean {variable}?"


def test_others_are_nobody_s_business() -> None:
    assert unknown_variables(["PATH", "CO_REWARDER", "REWARDING_WORKERS"]) == []
    (told,) = unknown_variables([PREFIX + "SOMETHING_ELSE_ALTOGETHER"])
    assert "docs/operations.md" in told


@pytest.mark.parametrize("words", [["version"], ["replay", "absent"], ["demo", "--steps", "0"]])
def test_a_command_tells_of_it_in_a_line(call: CommandLine, tmp_path: Path, words: list[str]) -> None:
    ended = call(words, folder=tmp_path, environment={MISSPELT: "3"})
    first = ended.err.splitlines()[0]
    assert first.startswith(f"co-rewarding: {MISSPELT} in the environment is unknown")
    assert first.endswith("did you mean CO_REWARDING_WORKERS?")


def test_settings_that_are_refused_may_be_misspelt_ones(call: CommandLine, tmp_path: Path) -> None:
    misspelt = {PREFIX + "API_KEYS_FIEL": "keys"}
    first, last = call(["serve", "--host", "0.0.0.0"], folder=tmp_path, environment=misspelt).err.splitlines()
    assert "did you mean CO_REWARDING_API_KEYS_FILE?" in first
    assert "refusing to listen on 0.0.0.0 without keys" in last


def test_a_service_logs_what_is_perhaps_not_as_it_was_meant() -> None:
    roots = {PREFIX + "WEIGHTS_ROOT": "/no/such/weights", PREFIX + "PARAPHRASE_ROOT": os.devnull + "s"}
    with started([*CLI, "serve", "--port", "0"], CO_REWARDING_LOG_JSON="true", **{MISSPELT: "3"}, **roots) as one:
        wait_until(lambda: "worker ready" in one.said, 60.0)
    assert one.said.count("did you mean CO_REWARDING_WORKERS?") == 1, "by the service, and not by its processes again"
    assert one.said.count("weights_root is not there: ") == 1
    assert one.said.count("paraphrase_root is not there: ") == 1
