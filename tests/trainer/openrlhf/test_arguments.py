"""Arguments: OpenRLHF's own parser takes every one, and they say what the recipe says."""

import argparse
from pathlib import Path

import pytest
from co_rewarding_trainer.openrlhf.arguments import RunPaths, arguments, without_secrets
from co_rewarding_trainer.openrlhf.errors import RecipeError

from tests.trainer.openrlhf.recipes import small
from tests.trainer.openrlhf.upstream import parser


@pytest.fixture(scope="module")
def openrlhf() -> argparse.ArgumentParser:
    return parser()


def test_openrlhf_is_told_what_the_recipe_says(tmp_path: Path, openrlhf: argparse.ArgumentParser) -> None:
    recipe = small(
        tmp_path, "training.learning_rate=3e-6", "training.kl_coefficient=0.005", "evaluation.source=x.jsonl"
    )
    told = vars(openrlhf.parse_args(arguments(recipe, RunPaths.of(recipe, tmp_path / "out"))))
    assert told["actor.adam.lr"] == 3e-6
    assert told["actor.adam.betas"] == [0.9, 0.999]
    assert told["algo.kl.init_coef"] == 0.005
    assert told["algo.kl.use_loss"] is True
    assert told["rollout.n_samples_per_prompt"] == 4
    assert told["rollout.batch_size"] == 8, "both views of 4 questions"
    assert told["train.batch_size"] == 32
    assert told["data.max_len"] == 512 + 32
    assert told["eval.temperature"] == 0.8
    assert told["data.prompt_dataset"] == str(tmp_path / "out/data/train.jsonl")
    assert told["reward.remote_url"] == "http://127.0.0.1:8000/get_reward"
    assert told["train.agent_func_path"] is None
    assert told["ckpt.load_enable"] is False


def test_every_switch_that_is_off_is_left_out(tmp_path: Path) -> None:
    recipe = small(tmp_path, "hardware.share_gpus=false", "data.chat_template=false", "output.tensorboard=false")
    words = arguments(recipe, RunPaths.of(recipe))
    assert not {"--train.colocate_all", "--data.apply_chat_template", "--logger.tensorboard_dir"} & set(words)


def test_further_options_travel_by_their_own_names(tmp_path: Path, openrlhf: argparse.ArgumentParser) -> None:
    further = ["algo.dynamic_filtering_enable=true", "algo.dynamic_filtering_range=[0.1, 0.9]", "rollout.top_k=1"]
    recipe = small(tmp_path, *(f"openrlhf.{each}" for each in further[:2]))
    told = vars(openrlhf.parse_args(arguments(recipe, RunPaths.of(recipe))))
    assert told["algo.dynamic_filtering_range"] == [0.1, 0.9]
    assert told["algo.dynamic_filtering_enable"] is True


@pytest.mark.parametrize(
    ("option", "told"),
    [("rollout.temperature=0.5", "say it as sampling.temperature"), ("train.batch_size=4", "follows from the rest")],
)
def test_an_option_of_the_recipe_has_one_name(tmp_path: Path, option: str, told: str) -> None:
    recipe = small(tmp_path, f"openrlhf.{option}")
    with pytest.raises(RecipeError, match=told):
        arguments(recipe, RunPaths.of(recipe))


def test_the_agent_door_keeps_the_key_to_itself(tmp_path: Path) -> None:
    words = arguments(recipe := small(tmp_path, "service.agent=true"), RunPaths.of(recipe), api_key="secret")
    assert "--reward.remote_url" not in words
    assert Path(words[words.index("--train.agent_func_path") + 1]).is_file()
    assert "secret" not in " ".join(words)


def test_the_plain_door_carries_the_key_in_each_url(tmp_path: Path) -> None:
    recipe = small(tmp_path, "service.url=http://a:1,https://b/below/")
    words = arguments(recipe, RunPaths.of(recipe), api_key="s/3 t")
    urls = words[words.index("--reward.remote_url") + 1]
    assert urls == "http://x:s%2F3%20t@a:1/get_reward,https://x:s%2F3%20t@b/below/get_reward"
    assert without_secrets([urls], {"$KEY": "s/3 t"}) == [
        "http://x:$KEY@a:1/get_reward,https://x:$KEY@b/below/get_reward"
    ]


def test_a_folder_is_given_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    words = arguments(recipe := small(tmp_path, "model.path=model"), RunPaths.of(recipe))
    assert words[words.index("--actor.model_name_or_path") + 1] == str(tmp_path / "model")
