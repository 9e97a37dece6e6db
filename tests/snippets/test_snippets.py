"""Every snippet of the README and the docs runs, or is checked as far as it can be without GPUs and a hub."""

import ast
import contextlib
import importlib.util
import inspect
import io
import json
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import typer
import yaml
from co_rewarding_client import RewardClient
from co_rewarding_trainer.openrlhf.recipe_loader import read_recipe

from reward_service.cli import app
from reward_service.on_ray.config import read_config
from reward_service.settings import Settings
from scripts.site.http_reference import openapi
from tests.deploy.helm_values import leaves, schema
from tests.snippets.reading import REPOSITORY, Snippet, mentioned, snippets, statements
from tests.support.service import running

URL = "http://127.0.0.1:8000"
NOT_RUN = {
    ("docs/teacher.md", "t_policy"): "formulas",
    ("docs/openrlhf.md", "openrlhf.cli.train_ppo_ray"): "needs GPUs; make e2e-openrlhf runs it on CPUs",
    ("docs/observe.md", "mlflow"): "a program of MLflow's; tests/integration/test_tracing.py has a collector",
    ("README.md", "openrlhf.cli.train_ppo_ray"): "needs GPUs; make e2e-openrlhf runs it on CPUs",
}
"""By page and first word, or module: what is neither run nor checked, and why."""

ADDED = ("lopsided-voting", "majority-voting-union")
"""The method that docs/methods.md adds, and one that stands for it: tests/methods/test_added_method.py adds the row."""

FRAMEWORKS_OWN = {"gym", "vf-eval", "swift"}
"""Programs of trainers' frameworks, which are not installed here."""

SAID = re.compile(r"^(?: *print\(.*\) )? +# (.*)$", re.MULTILINE)
"""What a snippet says that it prints: behind a call of `print`, or in lines of their own below it."""

REFUSALS = {400, 404, 405, 409, 413, 415, 422, 500}


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with running() as supervisor:
        yield supervisor.url


@pytest.fixture(scope="module")
def paths(service: str) -> dict[str, Any]:
    return httpx.get(f"{service}/openapi.json").json()["paths"]


def of(*languages: str) -> list[Snippet]:
    return [each for each in snippets() if each.language in languages]


def test_there_are_snippets_of_every_kind_and_no_other() -> None:
    """Each kind is checked, here or in test_sketches.py."""
    assert {each.language for each in snippets()} <= {"", "console", "json", "mermaid", "python", "toml", "yaml"}
    assert len(of("")) >= 30


@pytest.mark.parametrize("snippet", [each for each in of("python") if "print(" in each.text], ids=str)
def test_python_runs_and_prints_what_it_says(snippet: Snippet, service: str) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(snippet.text.replace(URL, service), snippet.page, "exec"), {})
    said = SAID.findall(snippet.text)
    assert said
    assert printed.getvalue().splitlines() == said


@pytest.mark.parametrize("snippet", [each for each in of("toml") if each.page == "docs/openrlhf.md"], ids=str)
def test_a_recipe_is_read(snippet: Snippet, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(snippet.text)
    assert read_recipe([file], []).data.source.endswith(tomllib.loads(snippet.text)["data"]["source"])


@pytest.mark.parametrize("snippet", [each for each in of("toml") if each.page == "docs/ray.md"], ids=str)
def test_a_configuration_on_ray_is_read(snippet: Snippet, tmp_path: Path) -> None:
    file = tmp_path / "service.toml"
    file.write_text(snippet.text)
    assert read_config(file).settings().access().grants == {}


@pytest.mark.parametrize("snippet", of("", "console"), ids=str)
def test_commands_are_ones_that_there_are(snippet: Snippet, service: str, paths: dict[str, Any]) -> None:
    text = snippet.text
    if snippet.language == "console":  # what follows a command is what it writes
        text = "".join(re.findall(r"^\$ ((?:.*\n)*?.*)\n(?![ {}\]])", text, re.MULTILINE))
    if (snippet.page, text.split()[0]) in NOT_RUN:
        return
    for statement in statements(text.replace(*ADDED)):
        check(snippet.page, statement, service, paths)


@pytest.mark.parametrize(("page", "command"), mentioned())
def test_commands_in_sentences_are_ones_that_there_are(page: str, command: str) -> None:
    words = shlex.split(command, comments=True)
    if words[0] == "make":
        check_make(words)
    elif words[0] == "co-rewarding":
        check_command_line(words)
    else:
        check_python(page, words)


def check(page: str, statement: str, service: str, paths: dict[str, Any]) -> None:
    """Fails for a statement that could not work, and for one of which nothing is known."""
    first, *_ = statement.split()
    if first.startswith("client."):
        return check_client(statement)
    if first in {"GET", "POST", "PUT", "PATCH", "DELETE"}:
        method, path, *body = statement.split(maxsplit=2)
        check_route(method, path, paths)
        return check_body(method, path, body[0]) if body and body[0].startswith("{") else None
    if statement[0] in " {":  # what was answered
        return None
    assigned, words = without_surroundings(shlex.split(statement, comments=True))
    assert all(name.removeprefix("CO_REWARDING_").lower() in Settings.model_fields for name in assigned), statement
    program = words[0].removeprefix(".venv/bin/")
    match program:
        case "chmod" | "mkdir" | "printf" | "redis-cli" | "redis-server" | "seq":
            return None
        case "make":
            return check_make(words)
        case "co-rewarding":
            return check_command_line(words)
        case "curl":
            return check_curl(words, service, paths)
        case "docker-compose":
            return check_compose(words)
        case "python" | "python3":
            return check_python(page, words)
        case "pip":
            return check_extras(words)
        case "helm":
            return check_helm(words)
        case "docker" | "kubectl" if page == "docs/kubernetes.md":
            return check_cluster(words)
        case "export" if made := re.fullmatch(r"export \w+=\$\((.*)\)", statement):
            return check(page, made[1], service, paths)
        case "export":
            return None
        case script if script.startswith("scripts/"):
            assert os.access(REPOSITORY / script, os.X_OK), f"{page}: there is no {script}"
            return None
    if page.startswith("docs/integrations/") and (program in FRAMEWORKS_OWN or program.startswith("--")):
        return check_names_of_ours(words)
    raise AssertionError(f"{page}: nothing is known of {program}: {statement}")


def without_surroundings(words: list[str]) -> tuple[list[str], list[str]]:
    """The names that are set before a command, and the command without them and without where its output goes."""
    own = list(dropwhile(lambda word: re.match(r"[A-Z_]+=", word), words))
    assigned = [word.partition("=")[0] for word in words[: len(words) - len(own)]]
    return assigned, own[:-2] if own[-2:-1] == [">>"] else own


def check_helm(words: list[str]) -> None:
    """The chart is there, and has each value that is set."""
    assert (REPOSITORY / words[3] / "Chart.yaml").is_file()
    known = {".".join(path) for path, _ in leaves(schema())}
    given = [value.partition("=")[0] for option, value in pairwise(words) if option == "--set"]
    assert given
    for name in given:
        assert known & {name, name.rpartition(".")[0]}, f"the chart has no value {name}"


def check_cluster(words: list[str]) -> None:
    """Files are there, and a secret holds what the chart takes from it."""
    for option, value in pairwise(words):
        assert option != "-f" or (REPOSITORY / value).is_file()
    literals = {word.split("=")[1] for word in words if word.startswith("--from-literal=")}
    assert literals in (set(), {"redis_password", "api_key", "api_keys"})


def check_names_of_ours(words: list[str]) -> None:
    """What a framework's flag names of the adapters is there; a framework that they import is not."""
    for module, name in re.findall(r"co_rewarding_client\.(\w+)\.(\w+)", " ".join(words)):
        text = (REPOSITORY / "clients" / "co_rewarding_client" / f"{module}.py").read_text()
        assert re.search(rf"^(?:async def|def|class) {name}\b|^{name} =", text, re.MULTILINE), f"{module}.{name}"


def check_make(words: list[str]) -> None:
    makefile = (REPOSITORY / "Makefile").read_text().replace("$(VENV)", ".venv")
    targets = " ".join(re.findall(r"^([\w./ -]+):", makefile, re.MULTILINE)).split()
    assert set(words[1:]) <= set(targets)


def check_command_line(words: list[str]) -> None:
    """Its options are ones that there are, and their values can be."""
    command: Any = typer.main.get_command(app)
    rest = ["value" if word == "..." else word for word in words[1:]]
    while hasattr(command, "commands") and rest:
        if rest[0].startswith("--") and "rewrite" not in command.commands:
            assert any(rest[0] in each.opts for each in command.params)
            return
        by_default = "rewrite" if "rewrite" in command.commands and rest[0] not in command.commands else None
        command = command.commands[by_default or rest.pop(0)]
    if rest:  # a command that is only named has no options to be wrong
        command.make_context(words[0], rest)


def check_python(page: str, words: list[str]) -> None:
    if words[1].endswith(".py"):
        assert (REPOSITORY / words[1]).exists()
        return
    assert words[1] == "-m"
    module = words[2]
    if (page, module) not in NOT_RUN and (f"docs/{page}", module) not in NOT_RUN:
        assert importlib.util.find_spec(module) is not None, module


def check_extras(words: list[str]) -> None:
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name in re.findall(r"\[(\w+)\]", " ".join(words)):
        assert name in extras


def check_compose(words: list[str]) -> None:
    """Services and profiles that the words may name, wherever they stand."""
    services = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    profiles = {profile for each in services.values() for profile in each.get("profiles", ())}
    for before, word in pairwise(words):
        if before == "--profile":
            assert word in profiles
        elif before in {"--scale", "-T", "--rm"}:
            assert word.partition("=")[0] in services


def check_client(statement: str) -> None:
    call = ast.parse(statement.strip().replace("...", "None")).body[0].value
    method = getattr(RewardClient, call.func.attr)
    inspect.signature(method).bind(None, *call.args, **{each.arg: each.value for each in call.keywords})


def check_route(method: str, path: str, paths: dict[str, Any]) -> None:
    for template, item in paths.items():
        if method.lower() in item and re.fullmatch(re.sub(r"\{\w+\}", ".+", template), path):
            return
    raise AssertionError(f"there is no {method} {path}")


def check_body(method: str, path: str, text: str) -> None:
    """A body is one that the route takes, as far as its schema says; one with an ellipsis is no whole body."""
    body, end = json.JSONDecoder().raw_decode(text)
    assert text[end:].lstrip()[:1] in {"", "#"}, "a comment may follow"
    document = openapi()
    for template, item in document["paths"].items():
        form = item.get(method.lower(), {}).get("requestBody")
        if form is not None and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            schema = form["content"]["application/json"]["schema"]
            checked = jsonschema_rs.validator_for(schema | {"components": document["components"]})
            if "…" not in text:
                checked.validate(body)
            return
    raise AssertionError(f"{method} {path} takes no body")


def test_a_body_that_no_route_takes_is_found() -> None:
    check_body("PUT", "/v1/runs/a", '{"method": "co-rewarding-i"}')
    with pytest.raises(jsonschema_rs.ValidationError):
        check_body("PUT", "/v1/runs/a", '{"metod": "co-rewarding-i"}')
    with pytest.raises(AssertionError):
        check_body("GET", "/v1/runs", "{}")


def check_curl(words: list[str], service: str, paths: dict[str, Any]) -> None:
    """The route is one that there is; JSON that is sent is taken, whether its Content-Type is said or not."""
    given = dict(pairwise(words))
    url = next(word for word in words if "/v1/" in word or word.startswith("http"))
    path = re.sub(r"^(\$URL|http://[^/]+)", "", url).partition("?")[0]
    sends = {"-d", "--data-binary", "-F", "-T"} & given.keys()
    method = given.get("-X", "POST" if sends else "GET")
    check_route(method, path, paths)
    if "-d" in given:
        media = {"content-type": "application/x-www-form-urlencoded"}
        answer = httpx.request(method, service + path, content=given["-d"], headers=media, timeout=60.0)
        assert answer.status_code not in REFUSALS, answer.text
