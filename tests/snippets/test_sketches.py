"""Snippets that cannot run here, and those that are no program: checked as far as they go."""

import ast
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from co_rewarding_schema.forms import WireForm

from reward_service.api.runs.models import RunForm
from scripts.site.http_reference import openapi
from scripts.site.mermaid import drawn
from tests.snippets.reading import REPOSITORY, Snippet, snippets

CLIENT = REPOSITORY / "clients" / "co_rewarding_client"
PAGES_OF_METHODS = {"docs/methods.md": REPOSITORY / "clients" / "co_rewarding_schema" / "methods.py"}
SKETCHES = [each for each in snippets() if each.language == "python" and "print(" not in each.text]


def of(language: str) -> list[Snippet]:
    return [each for each in snippets() if each.language == language]


def modules_of(snippet: Snippet) -> list[Path]:
    """The modules whose names a sketch may use: that of its page, and what its imports name."""
    tree = parsed(snippet)
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    stems = [each.rpartition(".")[2] for each in imported if each.startswith("co_rewarding_client.")]
    stem = Path(snippet.page).stem
    served = [REPOSITORY / f"{each.replace('.', '/')}.py" for each in imported if each.startswith("reward_service.")]
    found = [*served, PAGES_OF_METHODS.get(snippet.page), *sorted(CLIENT.glob(f"{stem}*.py")), CLIENT / "training.py"]
    return [each for each in [*(CLIENT / f"{name}.py" for name in stems), *found] if each is not None]


def parsed(snippet: Snippet) -> ast.Module:
    """Compiled too: `await` may stand outside of a function."""
    compile(snippet.text, snippet.page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return ast.parse(snippet.text)


def callables(modules: list[Path]) -> dict[str, tuple[set[str], bool]]:
    """By name, the parameters of functions and classes, and whether any other is taken."""
    found: dict[str, tuple[set[str], bool]] = {}
    for module in modules:
        for node in ast.parse(module.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.setdefault(node.name, parameters(node.args))
            elif isinstance(node, ast.ClassDef):
                made = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
                fields = {
                    each.target.id
                    for each in node.body
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
                }
                found.setdefault(node.name, parameters(made[0].args) if made else (fields, not fields))
    return found


def parameters(arguments: ast.arguments) -> tuple[set[str], bool]:
    names = {each.arg for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
    return names, arguments.kwarg is not None


def calls_of(tree: ast.Module) -> list[tuple[str, set[str]]]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return [
        (node.func.id, {each.arg for each in node.keywords if each.arg})
        for node in calls
        if isinstance(node.func, ast.Name)
    ]


@pytest.mark.parametrize("snippet", SKETCHES, ids=str)
def test_a_sketch_calls_what_there_is(snippet: Snippet) -> None:
    known = callables(modules_of(snippet))
    ours = [(name, keywords) for name, keywords in calls_of(parsed(snippet)) if name in known]
    assert ours, f"none of {sorted(known)} is called"
    for name, keywords in ours:
        names, more = known[name]
        assert more or keywords <= names, f"{name} has no {keywords - names}"


def test_a_sketch_with_a_wrong_keyword_is_found() -> None:
    assert "PairDataset" in callables([CLIENT / "tinker.py"])
    names, more = callables([CLIENT / "trl.py"])["CoRewarding"]
    assert not more
    assert "method" in names
    assert "metod" not in names


def test_there_are_sketches() -> None:
    assert len(SKETCHES) >= 6


@pytest.mark.parametrize("snippet", of("json"), ids=str)
def test_json_is_a_request_or_an_answer(snippet: Snippet) -> None:
    document, value = openapi(), json.loads(snippet.text)
    fitting = [name for name, schema in document["components"]["schemas"].items() if fits(value, schema, document)]
    assert fitting, f"{snippet}: no structure of the API is such an object"


def fits(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> bool:
    """Whether a value is of a structure, and has no field that the structure lacks."""
    if schema.get("type") != "object" or not value.keys() <= schema.get("properties", {}).keys():
        return False
    return jsonschema_rs.validator_for(schema | {"components": document["components"]}).is_valid(value)


@pytest.mark.parametrize("snippet", of("yaml"), ids=str)
def test_yaml_sets_what_an_adapter_reads(snippet: Snippet) -> None:
    given = yaml.safe_load(snippet.text)
    source = "".join(each.read_text() for each in CLIENT.glob(f"{Path(snippet.page).stem}*.py"))
    for section, values in given.items():
        assert f'"{section}"' in source
        for name in values:
            assert f'"{name}"' in source or f"{name}:" in source, name
        form: type[WireForm] = RunForm
        form.model_validate(values["settings"])


NO_ADAPTERS = {"docs/openrlhf.md", "docs/experiments.md", "docs/ray.md", "docs/security.md"}
"""Pages whose TOML is read as what it is."""


@pytest.mark.parametrize("snippet", [each for each in of("toml") if each.page not in NO_ADAPTERS], ids=str)
def test_toml_sets_what_an_adapter_reads(snippet: Snippet) -> None:
    """Its other sections belong to the framework."""
    (source,) = tomllib.loads(snippet.text)["orchestrator"]["train"]["source"]
    ours = {name for name, value in source["env"].items() if not isinstance(value, dict)}
    adapter = (CLIENT / f"{Path(snippet.page).stem}.py").read_text()
    assert ours
    for name in ours:
        assert f"    {name}: " in adapter, name


@pytest.mark.parametrize("snippet", [each for each in of("toml") if each.page == "docs/experiments.md"], ids=str)
def test_a_suite_can_be_read(snippet: Snippet, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="an experiment needs torch: pip install 'co-rewarding[local]'")
    from co_rewarding_trainer.experiment.suite import read_suite

    (tmp_path / "suite.toml").write_text(snippet.text)
    assert list(read_suite(str(tmp_path / "suite.toml")).cells())


@pytest.mark.parametrize("snippet", of("mermaid"), ids=str)
def test_a_diagram_can_be_drawn_for_the_site(snippet: Snippet) -> None:
    assert drawn(snippet.text).startswith("<svg")
