"""Define a recipe: everything that makes a training run. Units are in the names.

The defaults are neutral. The paper's settings (Table 5) are in recipes/common.toml and nowhere else.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from co_rewarding_schema.forms import StructForm
from co_rewarding_schema.limits import MAX_GROUP_SIZE
from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.run_settings import RunSettings
from pydantic import (
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
)

from co_rewarding_trainer.openrlhf.errors import nearest

Views = Literal["both", "original"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveShare = Annotated[float, Field(gt=0.0, le=1.0)]

# TOML has lists and no tuples: `strict=False` takes a list for a tuple, and stays strict about what is in the list.
TextList = Annotated[tuple[str, ...], Field(strict=False)]
Scalar = bool | int | float | str
OptionValue = Scalar | Annotated[tuple[Scalar, ...], Field(strict=False)]


class RecipeTable(StructForm):
    """A table of a recipe: takes no unknown key and converts no value; a whole number is a number too."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Run(RecipeTable, of=RunSettings, optional=True):
    """The run as the service knows it: the fields of `PUT /v1/runs/{run}`. What is None is the service's default.

    By default the teacher samples as the policy does, which is the paper's way.
    """

    name: str
    method: str
    views: Views | None = None
    """Which views the policy is trained on; by default both if the method needs both, else the original."""
    group_size: Annotated[int, Field(ge=2, le=MAX_GROUP_SIZE)] = 8
    total_steps: PositiveInt | None = None
    """Rollout batches, which the teacher's schedule spans; by default what the data set comes to."""

    def chosen_settings(self) -> dict[str, Any]:
        """Return the settings that the recipe states, by their names."""
        values = {name: getattr(self, name) for name in RunSettings.__struct_fields__}
        return {name: value for name, value in values.items() if value is not None}

    @field_validator("method")
    @classmethod
    def _check_method(cls, method: str) -> str:
        if method not in METHODS:
            raise ValueError(f"{method!r} is not a method; {nearest(method, METHODS)}")
        row = METHODS[method]
        lacking = "a statistic" if row.statistic is not None else row.evidence and f"evidence.{row.evidence}"
        if lacking:
            raise ValueError(f"{method} needs {lacking}, which OpenRLHF does not send; use the client (docs/client.md)")
        return method

    @field_validator("views")
    @classmethod
    def _check_views(cls, views: Views | None, info: ValidationInfo) -> Views | None:
        method = info.data.get("method", "")  # absent if it was refused
        if views == "original" and method in METHODS and METHODS[method].needs_both_views:
            raise ValueError(f'leaves the paraphrase out, and {method} needs both views; run.views = "both"')
        return views


class ServiceRecipe(RecipeTable):
    """Where rewards come from, and by which of OpenRLHF's two doors."""

    url: str = "http://127.0.0.1:8000"
    """Several replicas may be given, separated by commas: OpenRLHF then takes turns. ray://NAME is looked up in Ray."""
    agent: bool = False
    """False: OpenRLHF's plain `--reward.remote_url`. True: our agent executor, which sends identity."""


class Model(RecipeTable):
    """The policy."""

    path: str
    """A folder, or a name on the Hugging Face hub."""
    attention: str = "flash_attention_2"
    dtype: Literal["bf16", "fp16"] = "bf16"
    gradient_checkpointing: bool = True


class Columns(RecipeTable):
    """The names of a source's columns. A dot leads into an object; "" says that the source has no such column."""

    question_id: str = "question_id"
    question: str = "question"
    paraphrase: str = "paraphrase"
    ground_truth: str = "ground_truth"


class Data(RecipeTable):
    """The questions to train on."""

    source: str
    """A .parquet, .jsonl or .json file, or hf:owner/name[:split] on the Hugging Face hub."""
    question_id_prefix: str = ""
    max_questions: PositiveInt | None = None
    system_prompt: str | None = None
    chat_template: bool = True
    """True: prompts are chat messages, which the tokenizer's own template makes text. False: they are plain text."""
    prompt_max_tokens: PositiveInt = 512
    """Questions with a longer prompt, in either view, are left out."""
    on_missing_paraphrase: Literal["ask", "drop", "fail"] = "ask"
    """Ask the service to write the paraphrase; leave the question out; or stop."""
    on_missing_ground_truth: Literal["omit", "drop"] = "omit"
    """Send none with any question, for OpenRLHF wants all rollouts to log the same; or leave the question out."""
    column: Columns = Columns()


class EvaluationRecipe(RecipeTable):
    """Questions with ground truths, tried every so often; no source, no evaluation."""

    source: str | None = None
    name: str = "evaluation"
    """The metrics are logged as eval_<name>_pass1."""
    max_questions: PositiveInt | None = None
    every_steps: PositiveInt = 10
    temperature: NonNegativeFloat = 0.8
    samples_per_question: PositiveInt = 1
    column: Columns = Columns()


class SamplingRecipe(RecipeTable):
    """What is sampled in one step."""

    questions_per_step: PositiveInt = 128
    """Questions, not prompts: with both views a step has twice as many prompts."""
    response_max_tokens: PositiveInt = 3072
    temperature: PositiveFloat = 1.0
    top_p: PositiveShare = 1.0


class TrainingRecipe(RecipeTable):
    """How the policy is updated."""

    epochs: PositiveInt = 1
    updates_per_step: PositiveInt = 1
    """Optimizer steps that share the rollouts of one step."""
    learning_rate: PositiveFloat = 1e-6
    schedule: str = "cosine_with_min_lr"
    min_learning_rate_ratio: Share = 0.0
    warmup_ratio: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    adam_betas: Annotated[tuple[float, float], Field(strict=False)] = (0.9, 0.999)
    weight_decay: NonNegativeFloat = 0.0
    max_gradient_norm: PositiveFloat = 1.0
    clip: PositiveFloat = 0.2
    advantage: Literal["group_norm", "rloo", "reinforce_baseline", "dr_grpo", "reinforce"] = "group_norm"
    kl_coefficient: NonNegativeFloat = 0.0
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    kl_in_loss: bool = True
    """True: the KL term is part of the loss, as in GRPO. False: of the reward."""
    seed: NonNegativeInt = 0


class Hardware(RecipeTable):
    """The machines that train."""

    device: Literal["gpu", "cpu"] = "gpu"
    nodes: PositiveInt = 1
    actor_gpus_per_node: PositiveInt = 4
    engines: PositiveInt = 4
    """vLLM engines, each over `tensor_parallel` GPUs."""
    tensor_parallel: PositiveInt = 1
    share_gpus: bool = True
    """Actor, reference and engines take turns on the same GPUs (OpenRLHF's colocate_all, with sleep)."""
    gpu_memory_share: PositiveShare = 0.6
    """Of each GPU, for vLLM."""
    zero_stage: Annotated[int, Field(ge=0, le=3)] = 3
    micro_rollouts: PositiveInt = 4
    """Rollouts that a GPU trains on at once."""
    micro_rollouts_scored: PositiveInt = 8
    """Rollouts whose log-probabilities a GPU works out at once."""
    pack_rollouts: bool = True
    """Rollouts without padding; needs flash attention."""
    enforce_eager: bool = False
    sync_backend: Literal["nccl", "gloo"] = "nccl"


class Output(RecipeTable):
    """What stays. Relative paths, here and elsewhere in a recipe, begin at the current directory."""

    folder: str | None = None
    """By default runs/<name of the run>."""
    checkpoint_every_steps: PositiveInt = 30
    checkpoints_kept: PositiveInt = 2
    tensorboard: bool = True
    wandb_project: str | None = None
    """Logs there too; the key is taken from WANDB_API_KEY, never from a recipe."""


class WeightsRecipe(RecipeTable):
    """The policy's weights for the service's teacher; used by the methods that have one."""

    folder: str | None = None
    """A folder that the service reads too; by default `weights` in the output folder."""
    publish_every_steps: NonNegativeInt = 1
    """Rollout batches from one publication to the next; 0 is never, for a teacher that does not follow."""


class Recipe(RecipeTable):
    """A whole recipe."""

    run: Run
    model: Model
    data: Data
    service: ServiceRecipe = ServiceRecipe()
    evaluation: EvaluationRecipe = EvaluationRecipe()
    sampling: SamplingRecipe = SamplingRecipe()
    training: TrainingRecipe = TrainingRecipe()
    hardware: Hardware = Hardware()
    output: Output = Output()
    weights: WeightsRecipe = WeightsRecipe()
    openrlhf: Mapping[str, OptionValue] = Field(default_factory=dict[str, OptionValue])
    """Further options of OpenRLHF by their own names, without the dashes."""
    environment: Mapping[str, str] = Field(default_factory=dict[str, str])
    """Variables for the run; those that are set already stay as they are."""

    @property
    def settings(self) -> RunSettings:
        """Return the run's settings, with the service's defaults where the recipe states none."""
        return RunSettings(**self.run.chosen_settings())

    @property
    def method(self) -> Method:
        """Returns the row of the run's method."""
        return METHODS[self.run.method]

    @property
    def views(self) -> Views:
        """Returns the views that the policy is trained on."""
        return self.run.views or ("both" if self.method.needs_both_views else "original")

    @property
    def prompts_per_step(self) -> int:
        """Counts the prompts of a step, OpenRLHF's rollout batch: every view of a question is a prompt."""
        return self.sampling.questions_per_step * (2 if self.views == "both" else 1)

    @property
    def rollouts_per_step(self) -> int:
        """Counts the rollouts of a step."""
        return self.prompts_per_step * self.run.group_size

    @property
    def rollouts_per_update(self) -> int:
        """Counts the rollouts of an optimizer step, OpenRLHF's train batch over all GPUs."""
        return self.rollouts_per_step // self.training.updates_per_step

    def total_steps(self, questions: int) -> int:
        """Counts the rollout batches of `questions` over all epochs; a last batch that is not full does not count."""
        return questions // self.sampling.questions_per_step * self.training.epochs
