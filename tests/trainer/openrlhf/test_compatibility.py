"""The seams are guarded: another OpenRLHF is refused, and the installed one is what they were made for."""

import ast
import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from co_rewarding_trainer.openrlhf import compatibility
from co_rewarding_trainer.openrlhf.driver import main
from co_rewarding_trainer.openrlhf.errors import UnsupportedOpenRLHFError


def function_with(parameters: tuple[str, ...]) -> Callable[..., Any]:
    scope: dict[str, Any] = {}
    exec(f"def made({', '.join(parameters)}): ...", scope)
    return scope["made"]


def as_tested() -> dict[str, Callable[..., Any]]:
    return {name: function_with(parameters) for name, parameters in compatibility.SIGNATURES.items()}


def test_what_was_tested_passes():
    compatibility.check_version("0.11.2")
    compatibility.check_signatures(as_tested())


@pytest.mark.parametrize("version", ["0.11.1", "0.11.3", "0.12.0", "0.11.2.post1"])
def test_another_version_is_refused(version: str):
    with pytest.raises(UnsupportedOpenRLHFError, match=r"pip install openrlhf==0\.11\.2"):
        compatibility.check_version(version)


@pytest.mark.parametrize("name", compatibility.SIGNATURES)
def test_a_changed_or_missing_function_is_named(name: str):
    renamed = as_tested() | {name: function_with(("self", "renamed"))}
    with pytest.raises(UnsupportedOpenRLHFError, match="renamed") as told:
        compatibility.check_signatures(renamed)
    assert name in str(told.value)
    missing = as_tested()
    del missing[name]
    with pytest.raises(UnsupportedOpenRLHFError, match="is not there"):
        compatibility.check_signatures(missing)


def test_what_ray_adds_to_a_method_is_not_a_change():
    name, parameters = next(iter(compatibility.SIGNATURES.items()))
    compatibility.check_signatures(as_tested() | {name: function_with((*parameters, "_ray_trace_ctx=None"))})


def test_the_driver_says_what_is_wrong_in_one_line(capsys: pytest.CaptureFixture[str]):
    assert main([], version_of={"openrlhf": "0.12.0"}.__getitem__) == 2
    assert capsys.readouterr().err.startswith("co-rewarding: OpenRLHF 0.12.0 is installed")


def installed() -> Path:
    spec = importlib.util.find_spec("openrlhf")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("OpenRLHF is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def parameters_of(tree: ast.Module, path: str) -> tuple[str, ...]:
    """What is between the brackets of a function's definition; its module need not be importable."""
    body: list[ast.stmt] = tree.body
    found: ast.stmt | None = None
    for name in path.split("."):
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = next(each for each in body if isinstance(each, kinds) and each.name == name)
        body = found.body
    assert isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef)
    arguments = found.args
    more = [each.arg for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return (*(each.arg for each in (*arguments.args, *arguments.kwonlyargs)), *more)


@pytest.mark.parametrize("name", compatibility.SIGNATURES)
def test_the_installed_openrlhf_is_the_one(name: str):
    """Fails when OpenRLHF moves: then every seam is to be looked at again, and run, before `TESTED` moves."""
    root = installed()
    compatibility.check_version(importlib.metadata.version("openrlhf"))
    module, _, path = name.partition(":")
    file = root.parent.joinpath(*module.split(".")).with_suffix(".py")
    assert parameters_of(ast.parse(file.read_text()), path) == compatibility.SIGNATURES[name]


def test_the_names_that_are_replaced_are_looked_up_when_called():
    """What the driver replaces, it replaces where OpenRLHF asks for it."""
    root = installed()
    utils = (root / "utils" / "utils.py").read_text()
    assert "    from openrlhf.utils.deepspeed import DeepspeedStrategy" in utils
    engine = (root / "trainer" / "ray" / "vllm_engine.py").read_text()
    assert "            RolloutRayActor.options(" in engine
    for name in ("ppo_trainer.py", "ppo_trainer_async.py"):
        assert "self.samples_generator = SamplesGenerator(" in (root / "trainer" / name).read_text()
