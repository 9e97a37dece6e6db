"""Recipes: layers have their order, and what is wrong is told with its file, its key and what to do."""

from pathlib import Path

import pytest
from co_rewarding_trainer.openrlhf.errors import RecipeError
from co_rewarding_trainer.openrlhf.recipe import Recipe
from co_rewarding_trainer.openrlhf.recipe_loader import find_recipe, read_recipe
from pydantic import ValidationError

from tests.trainer.openrlhf.recipes import SMALL, small


def test_what_is_not_said_has_a_neutral_default(tmp_path: Path) -> None:
    recipe = small(tmp_path)
    assert (recipe.run.name, recipe.views, recipe.prompts_per_step) == ("small", "both", 8)
    assert (recipe.rollouts_per_step, recipe.rollouts_per_update) == (32, 32)
    assert recipe.training.adam_betas == (0.9, 0.999)
    assert recipe.total_steps(questions=11) == 2


def test_a_method_that_needs_one_view_trains_on_one_unless_told(tmp_path: Path) -> None:
    assert small(tmp_path, "run.method=majority-voting").prompts_per_step == 4
    assert small(tmp_path, "run.method=majority-voting", "run.views=both").prompts_per_step == 8


def test_later_layers_have_the_last_word_and_each_comes_once(tmp_path: Path) -> None:
    (tmp_path / "common.toml").write_text(SMALL + '[openrlhf]\n"train.async_enable" = true\n')
    (tmp_path / "a.toml").write_text('extends = "common.toml"\n[training]\nseed = 1\nepochs = 5\n')
    (tmp_path / "b.toml").write_text('extends = ["common.toml"]\n[training]\nseed = 2\n[openrlhf.train]\nx = [1, 2]\n')
    recipe = read_recipe([tmp_path / "a.toml", tmp_path / "b.toml"], ["run.group_size=6", "openrlhf.train.x=3"])
    assert (recipe.training.seed, recipe.training.epochs, recipe.run.group_size) == (2, 5, 6)
    assert dict(recipe.openrlhf) == {"train.async_enable": True, "train.x": 3}


def test_a_recipe_of_one_s_own_extends_shipped_ones_by_name(tmp_path: Path) -> None:
    own = 'extends = ["co-rewarding-i", "qwen3-4b-base"]\n[data]\nsource = "mine.parquet"\n[training]\nepochs = 1\n'
    recipe = small(tmp_path, text=own)
    assert (recipe.model.path, recipe.data.source, recipe.training.epochs) == ("Qwen/Qwen3-4B-Base", "mine.parquet", 1)
    assert recipe.training.learning_rate == 3e-6, "as common.toml has it"


def test_a_run_without_a_name_is_called_after_its_files(tmp_path: Path) -> None:
    assert small(tmp_path, text=SMALL.replace('name = "small"', "")).run.name == "small"
    files = [find_recipe(name) for name in ("co-rewarding-i", "math", "qwen2.5-3b")]
    assert read_recipe(files).run.name == "co-rewarding-i-math-qwen2.5-3b"


def test_text_on_the_command_line_needs_no_quotes(tmp_path: Path) -> None:
    recipe = small(tmp_path, "run.name=12", "model.path=a/b", "training.adam_betas=[0.8, 0.9]", "environment.X=1")
    assert (recipe.run.name, recipe.model.path, recipe.training.adam_betas) == ("12", "a/b", (0.8, 0.9))
    assert recipe.environment == {"X": "1"}


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("training.learning_rat=1", "did you mean learning_rate?"),
        ("trainin.seed=1", "did you mean training?"),
        ("training.learning_rate=fast", "is 'fast'; input should be a valid number"),
        ("training.epochs=1.5", "is 1.5; input should be a valid integer"),
        ("training.epochs=true", "is True; input should be a valid integer"),
        ("training.learning_rate=inf", "should be a finite number"),
        ("training.learning_rate=0", "training.learning_rate is 0; input should be greater than 0"),
        ("training.warmup_ratio=1", "should be less than 1"),
        ("training.adam_betas=[0.9]", "training.adam_betas[1] is missing in [0.9]"),
        ("training.adam_betas=[0.9, 0.9, 0.9]", "list should have at most 2 items"),
        ("training.adam_betas=[0.9, true]", "training.adam_betas[1] is True; input should be a valid number"),
        ("training.adam_betas=0.9", "input should be a valid list"),
        ("hardware.zero_stage=true", "is True; input should be a valid integer"),
        ("hardware.zero_stage=4", "should be less than or equal to 3"),
        ("run.group_size=1", "should be greater than or equal to 2"),
        ("run.views=all", "run.views is 'all'; input should be 'both' or 'original'"),
        ("run.views=original", "needs both views"),
        ("run.method=co-rewarding", "did you mean co-rewarding-i?"),
        ("run.method=entropy", "OpenRLHF does not send"),
        ("run=x", "run is a table"),
        ("data.column=x", "data.column is a table"),
        ("training.seed.x=1", "training.seed is {'x': 1}; input should be a valid integer"),
        ("openrlhf=x", "openrlhf is a table"),
        (
            "openrlhf.x=2026-11-29",
            "a valid boolean or a valid integer or a valid number or a valid string or a valid list",
        ),
        ("seed", "give key=value"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, setting: str, told: str) -> None:
    with pytest.raises(RecipeError) as raised:
        small(tmp_path, setting)
    assert told in str(raised.value)
    assert f"--set {setting}" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[run\n", "not TOML"),
        ('[run]\nmethod = "ground-truth"\n', "model.path is missing"),
        ("extends = 3\n", "extends is 3"),
        ('extends = "none.toml"\n', "none.toml: there is no such file"),
        ('extends = "./none.toml"\n', "none.toml: cannot be read"),
        ('extends = "small.toml"\n', "extends itself"),
        ("run = 3\n", "run is a table"),
        (SMALL + "[environment]\nX = 3\n", "environment.X is 3; input should be a valid string"),
        (SMALL + "[data.column]\nanswer = 'a'\n", "data.column.answer is not a key of a recipe"),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(RecipeError) as raised:
        small(tmp_path, text=text)
    assert told in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_all_that_is_wrong_is_told_at_once_each_with_the_layer_that_said_it(tmp_path: Path) -> None:
    text = SMALL.replace('source = "pairs.jsonl"', "sourc = 1") + "[training]\nseed = -1\nepochs = 0\n"
    with pytest.raises(RecipeError) as raised:
        small(tmp_path, "training.epochs=2", "training.epochs=1.5", text=text)
    file = tmp_path / "small.toml"
    assert str(raised.value).splitlines() == [
        f"{file}: data.source is missing; write it, add a file that has it, or --set data.source=…",
        f"{file}: data.sourc is not a key of a recipe; did you mean source?",
        "--set training.epochs=1.5: training.epochs is 1.5; input should be a valid integer",
        f"{file}: training.seed is -1; input should be greater than or equal to 0",
    ]


def test_a_later_layer_s_value_stands_whatever_an_earlier_one_had_there(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("training = 3\nopenrlhf = 3\n")
    recipe = small(tmp_path, "openrlhf.x=1", text='extends = "wrong.toml"\n' + SMALL + "[training]\nseed = 4\n")
    assert (recipe.training.seed, recipe.openrlhf) == (4, {"x": 1})


def test_a_recipe_cannot_be_changed(tmp_path: Path) -> None:
    recipe = small(tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        recipe.run.name = "other"  # pyright: ignore[reportAttributeAccessIssue] - that is what is tested


def test_the_schema_of_a_recipe_has_what_its_fields_mean() -> None:
    schema = Recipe.model_json_schema()
    assert schema["$defs"]["Run"]["properties"]["total_steps"]["description"].startswith("Rollout batches")


def test_a_recipe_is_found_by_path_or_by_name(tmp_path: Path) -> None:
    assert find_recipe("cpu-smoke").name == find_recipe("cpu-smoke.toml").name == "cpu-smoke.toml"
    with pytest.raises(RecipeError, match=r"did you mean cpu-smoke\?"):
        find_recipe("cpu-smok")
    with pytest.raises(RecipeError, match="no such file"):
        find_recipe(str(tmp_path / "cpu-smoke.toml"))
