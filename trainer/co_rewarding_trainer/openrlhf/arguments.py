"""Turn a recipe into OpenRLHF 0.11.2's command line: a table of option names, and the computed options.

Option names are those of `openrlhf.cli.train_ppo_ray`; a test checks every one with OpenRLHF's own parser.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from co_rewarding_trainer.openrlhf.errors import RecipeError
from co_rewarding_trainer.openrlhf.recipe import Recipe

INPUT_KEY = "original"
LABEL_KEY = "label_original"
"""The columns of a data set that OpenRLHF reads by itself; the paraphrase's are read by the paired sampling."""

AGENT_MODULE = "agent.py"

_OPTION_NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("model.attention", ("ds.attn_implementation",)),
    ("model.dtype", ("ds.param_dtype",)),
    ("model.gradient_checkpointing", ("actor.gradient_checkpointing_enable",)),
    ("data.chat_template", ("data.apply_chat_template",)),
    ("run.group_size", ("rollout.n_samples_per_prompt",)),
    ("sampling.response_max_tokens", ("rollout.max_new_tokens",)),
    ("sampling.temperature", ("rollout.temperature",)),
    ("sampling.top_p", ("rollout.top_p",)),
    ("training.epochs", ("train.num_episodes",)),
    ("training.learning_rate", ("actor.adam.lr",)),
    ("training.adam_betas", ("actor.adam.betas",)),
    ("training.weight_decay", ("actor.adam.weight_decay",)),
    ("training.schedule", ("actor.lr_scheduler",)),
    ("training.min_learning_rate_ratio", ("actor.min_lr_ratio",)),
    ("training.warmup_ratio", ("actor.lr_warmup_ratio",)),
    ("training.max_gradient_norm", ("actor.max_norm",)),
    ("training.clip", ("actor.eps_clip",)),
    ("training.advantage", ("algo.advantage.estimator",)),
    ("training.kl_coefficient", ("algo.kl.init_coef",)),
    ("training.kl_estimator", ("algo.kl.estimator",)),
    ("training.kl_in_loss", ("algo.kl.use_loss",)),
    ("training.seed", ("train.seed",)),
    ("hardware.nodes", ("actor.num_nodes", "ref.num_nodes")),
    ("hardware.actor_gpus_per_node", ("actor.num_gpus_per_node", "ref.num_gpus_per_node")),
    ("hardware.engines", ("vllm.num_engines",)),
    ("hardware.tensor_parallel", ("vllm.tensor_parallel_size",)),
    ("hardware.share_gpus", ("train.colocate_all", "vllm.enable_sleep", "ds.enable_sleep")),
    ("hardware.gpu_memory_share", ("vllm.gpu_memory_utilization",)),
    ("hardware.zero_stage", ("ds.zero_stage",)),
    ("hardware.micro_rollouts", ("train.micro_batch_size",)),
    ("hardware.micro_rollouts_scored", ("rollout.micro_batch_size",)),
    ("hardware.pack_rollouts", ("ds.packing_samples",)),
    ("hardware.enforce_eager", ("vllm.enforce_eager",)),
    ("hardware.sync_backend", ("vllm.sync_backend",)),
    ("output.checkpoint_every_steps", ("ckpt.save_steps",)),
    ("output.checkpoints_kept", ("ckpt.max_num",)),
)


@dataclass(frozen=True)
class RunPaths:
    """The paths of a run's files. All are below `output`, except weights in a folder that the service shares."""

    output: Path
    weights: Path

    @classmethod
    def of(cls, recipe: Recipe, output: Path | None = None) -> "RunPaths":
        """Takes the paths from the recipe; `output` replaces the recipe's folder."""
        folder = output or Path(recipe.output.folder or Path("runs") / recipe.run.name)
        folder = folder.absolute()  # Ray's workers start elsewhere
        return cls(folder, Path(recipe.weights.folder or folder / "weights").absolute())

    @property
    def train(self) -> Path:
        """Returns the training set."""
        return self.output / "data" / "train.jsonl"

    @property
    def evaluation(self) -> Path:
        """Returns the file of the questions to evaluate on."""
        return self.output / "data" / "evaluation.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Returns the folder that a run resumes from."""
        return self.output / "checkpoints"

    @property
    def model(self) -> Path:
        """Returns the folder of the trained model."""
        return self.output / "model"

    @property
    def tensorboard(self) -> Path:
        """Returns the folder of TensorBoard's logs."""
        return self.output / "tensorboard"


def arguments(recipe: Recipe, paths: RunPaths, *, api_key: str | None = None, resume: bool = False) -> list[str]:
    """Makes the argv of OpenRLHF: the words after `python -m openrlhf.cli.train_ppo_ray`.

    Without the agent the key is part of the reward URL, because OpenRLHF has no other place for a key.

    Raises:
        RecipeError: [openrlhf] sets what the recipe says in its own words, or a URL cannot carry the key.
    """
    options = _options(recipe, paths, api_key, resume)
    words = {option: key for key, names in _OPTION_NAMES for option in names}
    for option, value in recipe.openrlhf.items():
        if option in options:
            said = f"say it as {words[option]}" if option in words else "it follows from the rest of the recipe"
            raise RecipeError(f"[openrlhf] {option} is set by the recipe: {said}")
        options[option] = value
    return [word for option, value in options.items() for word in _words(option, value)]


def reward_urls(recipe: Recipe, api_key: str | None) -> str:
    """Lists the URLs that OpenRLHF posts to, separated by commas, each with the key as a password."""
    return ",".join(_get_reward(url.strip(), api_key) for url in recipe.service.url.split(","))


def agent_path() -> str:
    """Returns the file of the agent executor, which OpenRLHF loads by path."""
    return str(Path(__file__).resolve().with_name(AGENT_MODULE))


def _options(recipe: Recipe, paths: RunPaths, api_key: str | None, resume: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"actor.model_name_or_path": _model(recipe.model.path)}
    options |= {option: _recipe_value(recipe, key) for key, names in _OPTION_NAMES for option in names}
    options |= {
        "rollout.batch_size": recipe.prompts_per_step,
        "train.batch_size": recipe.rollouts_per_update,
        "data.max_len": recipe.data.prompt_max_tokens + recipe.sampling.response_max_tokens,
        "data.prompt_dataset": str(paths.train),
        "data.input_key": INPUT_KEY,
        "data.label_key": LABEL_KEY,
        "ckpt.path": str(paths.checkpoints),
        "ckpt.output_dir": str(paths.model),
        "ckpt.load_enable": resume,
        "logger.wandb.run_name": recipe.run.name,  # TensorBoard's too; its default is the time
        "logger.tensorboard_dir": str(paths.tensorboard) if recipe.output.tensorboard else None,
    }
    if recipe.service.agent:
        options["train.agent_func_path"] = agent_path()
    else:
        options["reward.remote_url"] = reward_urls(recipe, api_key)
    if recipe.evaluation.source is not None:
        options |= {
            "eval.dataset": str(paths.evaluation),
            "eval.steps": recipe.evaluation.every_steps,
            "eval.temperature": recipe.evaluation.temperature,
            "eval.n_samples_per_prompt": recipe.evaluation.samples_per_question,
        }
    if recipe.output.wandb_project is not None:
        options |= {
            # OpenRLHF logs to wandb when it is given a key; wandb itself goes by WANDB_API_KEY if that is set.
            "logger.wandb.key": "WANDB_API_KEY",
            "logger.wandb.project": recipe.output.wandb_project,
        }
    return options


def _model(path: str) -> str:
    """Makes a folder's path absolute, because Ray's workers start elsewhere; leaves a name on the hub unchanged."""
    return str(Path(path).absolute()) if Path(path).is_dir() else path


def _recipe_value(recipe: Recipe, key: str) -> Any:  # noqa: ANN401 - a field of a recipe
    section, name = key.split(".")
    return getattr(getattr(recipe, section), name)


def _words(option: str, value: Any) -> list[str]:  # noqa: ANN401 - a field of a recipe
    """Writes an option as words: True is a bare switch, False and None are left out, a tuple is several words."""
    if value is None or value is False:
        return []
    if value is True:
        return [f"--{option}"]
    return [f"--{option}", *(str(each) for each in (value if isinstance(value, tuple) else (value,)))]


def _get_reward(url: str, api_key: str | None) -> str:
    parts = urlsplit(url)
    netloc = parts.netloc
    if api_key is not None and "@" not in netloc:
        netloc = f"x:{quote(api_key, safe='')}@{netloc}"
    return parts._replace(netloc=netloc, path=f"{parts.path.rstrip('/')}/get_reward").geturl()


def without_secrets(words: list[str], secrets: Mapping[str, str | None]) -> list[str]:
    """Replaces each secret in the words by its name, so that they can be printed."""
    shown = words
    for name, secret in secrets.items():
        if secret:
            for form in {secret, quote(secret, safe="")}:
                shown = [word.replace(form, name) for word in shown]
    return shown
