"""Every shipped recipe, and every combination of its parts, is read, dry-run, and understood by OpenRLHF."""

import argparse
import io
import tomllib
from itertools import product
from pathlib import Path

import pytest
from co_rewarding_schema.methods import METHODS
from co_rewarding_trainer.openrlhf.arguments import RunPaths, arguments
from co_rewarding_trainer.openrlhf.command import TrainingOrder, train
from co_rewarding_trainer.openrlhf.errors import RecipeError
from co_rewarding_trainer.openrlhf.recipe import Recipe
from co_rewarding_trainer.openrlhf.recipe_loader import read_recipe, shipped_recipes
from co_rewarding_trainer.openrlhf.size_checks import (
    engines_fit,
    micro_batches_divide,
    scoring_divides,
    updates_divide,
)
from co_rewarding_trainer.openrlhf.sources import read_questions
from rich.console import Console

from tests.trainer.openrlhf.upstream import parser

SHIPPED = shipped_recipes()
PARTS = [sorted((SHIPPED / kind).glob("*.toml")) for kind in ("methods", "data", "models")]
CARRIED = [name for name, row in METHODS.items() if row.statistic is None and row.evidence is None]
WHOLE = [SHIPPED / "cpu-smoke.toml", SHIPPED / "smollm2-cpu.toml"]
COMBINATIONS = [*product(*PARTS), *((each,) for each in WHOLE)]


@pytest.fixture(scope="module")
def openrlhf() -> argparse.ArgumentParser:
    return parser()


def test_all_that_the_paper_trained_is_there() -> None:
    assert len(COMBINATIONS) == 6 * 3 * 6 + len(WHOLE)
    assert {path.stem for path in PARTS[0]} <= {*CARRIED}


@pytest.mark.parametrize("method", METHODS)
def test_another_method_needs_no_file(method: str) -> None:
    peers = ['run.peers=["other"]'] if METHODS[method].needs_peers else []
    files, settings = [SHIPPED / "cpu-smoke.toml"], [f"run.method={method}", *peers]
    if method in CARRIED:
        assert read_recipe(files, settings).settings.method == method
    else:
        with pytest.raises(RecipeError, match="which OpenRLHF does not send"):
            read_recipe(files, settings)


@pytest.mark.parametrize("files", COMBINATIONS, ids=lambda files: "-".join(path.stem for path in files))
def test_it_is_dry_run(files: tuple[Path, ...], openrlhf: argparse.ArgumentParser, tmp_path: Path) -> None:
    recipe = read_recipe(files)
    told = vars(openrlhf.parse_args(arguments(recipe, RunPaths.of(recipe, tmp_path / "out"))))
    assert told["rollout.batch_size"] * told["rollout.n_samples_per_prompt"] == recipe.rollouts_per_step
    checks = (updates_divide, micro_batches_divide, scoring_divides, engines_fit)
    assert [check.__name__ for check in checks if _divides(check, recipe)] == []
    shown = io.StringIO()
    assert train(TrainingOrder(recipes=[str(path) for path in files], dry_run=True), Console(file=shown)) == 0
    for told_of in ("# data set", f"# run: PUT http://127.0.0.1:8000/v1/runs/{recipe.run.name}", "# command"):
        assert told_of in shown.getvalue()


def test_the_paper_s_table_5() -> None:
    recipe = _combined("co-rewarding-i", "math", "qwen3-8b-base")
    assert (recipe.sampling.questions_per_step, recipe.run.group_size, recipe.run.teacher_group_size) == (128, 8, 8)
    assert (recipe.data.prompt_max_tokens, recipe.sampling.response_max_tokens) == (512, 3072)
    assert (recipe.training.learning_rate, recipe.training.warmup_ratio, recipe.training.clip) == (3e-6, 0.1, 0.2)
    assert (recipe.sampling.temperature, recipe.evaluation.temperature) == (1.0, 0.8)
    assert recipe.training.kl_coefficient == 0.005
    assert _combined("co-rewarding-ii", "openrs", "qwen2.5-7b").training.kl_coefficient == 0.001
    assert recipe.data.system_prompt == "Let's think step by step and output the final answer within \\boxed{}."
    assert (recipe.run.alpha_start, recipe.run.alpha_end) == (0.99, 0.9999)


def test_cpu_smoke_takes_six_steps() -> None:
    recipe = read_recipe([SHIPPED / "cpu-smoke.toml"])
    assert recipe.data.max_questions is not None
    assert recipe.total_steps(recipe.data.max_questions) >= 6
    assert not recipe.hardware.share_gpus


def test_smollm2_takes_two_steps_of_the_questions_that_are_shipped() -> None:
    recipe = read_recipe([SHIPPED / "smollm2-cpu.toml"])
    questions = read_questions(str(SHIPPED / "word-problems.jsonl"), recipe.data.column)
    assert recipe.total_steps(len(questions)) == 2
    assert len(questions) == recipe.data.max_questions
    assert all(each.paraphrase and each.ground_truth and each.paraphrase != each.question for each in questions)


def test_the_wheel_has_them_beside_the_package() -> None:
    project = tomllib.loads((SHIPPED.parents[1] / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {
        SHIPPED.relative_to(SHIPPED.parents[1]).as_posix(): "co_rewarding_trainer/recipes",
        "trainer/suites": "co_rewarding_trainer/suites",
    }


def _combined(*names: str) -> Recipe:
    files = {path.stem: path for path in SHIPPED.rglob("*.toml")}
    return read_recipe([files[name] for name in names])


def _divides(check: object, recipe: Recipe) -> str | None:
    return check(recipe, None)  # pyright: ignore[reportCallIssue] - these look at the recipe alone
