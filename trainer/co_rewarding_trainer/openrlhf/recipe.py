"""A recipe: everything that makes a training run, in the project's words. Units are in the names.

The defaults are neutral; the paper's settings (Table 5) are in recipes/common.toml, and are said there only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from co_rewarding_schema.methods import METHODS, Method

Views = Literal["both", "original"]


REQUIRED: Any = None
"""Stands where a recipe has no default; `reading.py` refuses a recipe that leaves it."""


def bounded(default: Any, **limits: float) -> Any:  # noqa: ANN401 - as dataclasses.field, which it stands for
    """A number with limits: `above`, `at_least`, `below`, `at_most`."""
    return field(default=default, metadata=limits)


def required() -> Any:  # noqa: ANN401 - as above
    """A value that every recipe must give."""
    return field(default=REQUIRED, metadata={"required": True})


@dataclass(frozen=True, kw_only=True)
class Run:
    """The run as the service knows it; see `PUT /v1/runs/{run}`. What is None is the service's default."""

    name: str = required()
    method: str = required()
    views: Views | None = None
    """Which views the policy is trained on; by default both if the method needs both, else the original."""
    group_size: int = bounded(8, at_least=2, at_most=4096)
    teacher_group_size: int | None = bounded(None, at_least=1, at_most=4096)
    alpha_start: float | None = bounded(None, at_least=0.0, at_most=1.0)
    alpha_end: float | None = bounded(None, at_least=0.0, at_most=1.0)
    total_steps: int | None = bounded(None, at_least=1)
    """Rollout batches, which the teacher's schedule spans; by default what the data set comes to."""
    cohort_deadline_s: float | None = bounded(None, above=0.0)
    min_votes: int | None = bounded(None, at_least=1)
    min_vote_share: float | None = bounded(None, at_least=0.0, at_most=1.0)
    teacher_model: str | None = None
    max_teacher_lag: int | None = bounded(None, at_least=0)
    """Steps by which the teacher's version may lie behind the rollouts that it labels."""
    teacher_temperature: float | None = bounded(None, at_least=0.0)
    """How the teacher samples, here and in the next two; by default as the policy does, which is the paper's way."""
    teacher_top_p: float | None = bounded(None, above=0.0, at_most=1.0)
    teacher_max_tokens: int | None = bounded(None, at_least=1)
    answer_formats: tuple[str, ...] | None = None
    end_tokens: tuple[str, ...] | None = None
    """What ends a response besides the known end-of-turn tokens."""
    conventions: str | None = None
    quarantine: str | None = None
    """What becomes of a pair whose views keep disagreeing: "off", "own-view" or "abstain"."""


@dataclass(frozen=True, kw_only=True)
class ServiceRecipe:
    """Where rewards come from, and by which of OpenRLHF's two doors."""

    url: str = "http://127.0.0.1:8000"
    """Several replicas may be given, separated by commas: OpenRLHF then takes turns."""
    agent: bool = False
    """False: OpenRLHF's plain `--reward.remote_url`. True: our agent executor, which sends identity."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """The policy."""

    path: str = required()
    """A folder, or a name on the Hugging Face hub."""
    attention: str = "flash_attention_2"
    dtype: Literal["bf16", "fp16"] = "bf16"
    gradient_checkpointing: bool = True


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How a source names what is needed. A dot leads into an object; "" says that the source has none."""

    question_id: str = "question_id"
    question: str = "question"
    paraphrase: str = "paraphrase"
    ground_truth: str = "ground_truth"


@dataclass(frozen=True, kw_only=True)
class Data:
    """The questions to train on."""

    source: str = required()
    """A .parquet, .jsonl or .json file, or hf:owner/name[:split] on the Hugging Face hub."""
    question_id_prefix: str = ""
    max_questions: int | None = bounded(None, at_least=1)
    system_prompt: str | None = None
    chat_template: bool = True
    """Prompts are chat messages, and the tokenizer's own template makes them text; else they are plain text."""
    prompt_max_tokens: int = bounded(512, at_least=1)
    """Questions with a longer prompt, in either view, are left out."""
    on_missing_paraphrase: Literal["ask", "drop", "fail"] = "ask"
    """Ask the service to write it; leave the question out; or stop."""
    on_missing_ground_truth: Literal["omit", "drop"] = "omit"
    """Send none with any question, for OpenRLHF wants all rollouts to log the same; or leave the question out."""
    column: Columns = field(default_factory=Columns)


@dataclass(frozen=True, kw_only=True)
class EvaluationRecipe:
    """Questions with ground truths, tried every so often; no source, no evaluation."""

    source: str | None = None
    name: str = "evaluation"
    """Under which its metrics are logged: eval_<name>_pass1."""
    max_questions: int | None = bounded(None, at_least=1)
    every_steps: int = bounded(10, at_least=1)
    temperature: float = bounded(0.8, at_least=0.0)
    samples_per_question: int = bounded(1, at_least=1)
    column: Columns = field(default_factory=Columns)


@dataclass(frozen=True, kw_only=True)
class SamplingRecipe:
    """What is sampled in one step."""

    questions_per_step: int = bounded(128, at_least=1)
    """Questions, not prompts: with both views a step has twice as many prompts."""
    response_max_tokens: int = bounded(3072, at_least=1)
    temperature: float = bounded(1.0, above=0.0)
    top_p: float = bounded(1.0, above=0.0, at_most=1.0)


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """How the policy is updated."""

    epochs: int = bounded(1, at_least=1)
    updates_per_step: int = bounded(1, at_least=1)
    """Optimizer steps that share the rollouts of one step."""
    learning_rate: float = bounded(1e-6, above=0.0)
    schedule: str = "cosine_with_min_lr"
    min_learning_rate_ratio: float = bounded(0.0, at_least=0.0, at_most=1.0)
    warmup_ratio: float = bounded(0.1, at_least=0.0, below=1.0)
    adam_betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = bounded(0.0, at_least=0.0)
    max_gradient_norm: float = bounded(1.0, above=0.0)
    clip: float = bounded(0.2, above=0.0)
    advantage: Literal["group_norm", "rloo", "reinforce_baseline", "dr_grpo", "reinforce"] = "group_norm"
    kl_coefficient: float = bounded(0.0, at_least=0.0)
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    kl_in_loss: bool = True
    """In the loss, as GRPO has it, and not in the reward."""
    seed: int = bounded(0, at_least=0)


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What it runs on."""

    device: Literal["gpu", "cpu"] = "gpu"
    nodes: int = bounded(1, at_least=1)
    actor_gpus_per_node: int = bounded(4, at_least=1)
    engines: int = bounded(4, at_least=1)
    """vLLM engines, each over `tensor_parallel` GPUs."""
    tensor_parallel: int = bounded(1, at_least=1)
    share_gpus: bool = True
    """Actor, reference and engines take turns on the same GPUs (OpenRLHF's colocate_all, with sleep)."""
    gpu_memory_share: float = bounded(0.6, above=0.0, at_most=1.0)
    """Of each GPU, for vLLM."""
    zero_stage: Literal[0, 1, 2, 3] = 3
    micro_rollouts: int = bounded(4, at_least=1)
    """Rollouts that a GPU trains on at once."""
    micro_rollouts_scored: int = bounded(8, at_least=1)
    """Rollouts whose log-probabilities a GPU works out at once."""
    pack_rollouts: bool = True
    """Rollouts without padding; needs flash attention."""
    enforce_eager: bool = False
    sync_backend: Literal["nccl", "gloo"] = "nccl"


@dataclass(frozen=True, kw_only=True)
class Output:
    """What stays. Relative paths, here and elsewhere in a recipe, begin at the current directory."""

    folder: str | None = None
    """By default runs/<name of the run>."""
    checkpoint_every_steps: int = bounded(30, at_least=1)
    checkpoints_kept: int = bounded(2, at_least=1)
    tensorboard: bool = True
    wandb_project: str | None = None
    """Logs there too; the key is taken from WANDB_API_KEY, never from a recipe."""


@dataclass(frozen=True, kw_only=True)
class WeightsRecipe:
    """The policy's weights for the service's teacher; used by the methods that have one."""

    folder: str | None = None
    """A folder that the service reads too; by default `weights` in the output folder."""
    publish_every_steps: int = bounded(1, at_least=0)
    """Rollout batches from one publication to the next; 0 is never, for a teacher that does not follow."""


Plain = bool | int | float | str | tuple[bool | int | float | str, ...]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole recipe; `openrlhf` holds further options of OpenRLHF by their own names, without the dashes."""

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
    openrlhf: Mapping[str, Plain] = field(default_factory=lambda: MappingProxyType({}))
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Variables for the run; those that are set already stay as they are."""

    @property
    def method(self) -> Method:
        """The row of the run's method."""
        return METHODS[self.run.method]

    @property
    def views(self) -> Views:
        """The views that the policy is trained on."""
        return self.run.views or ("both" if self.method.needs_both_views else "original")

    @property
    def prompts_per_step(self) -> int:
        """OpenRLHF's rollout batch: every view of a question is a prompt."""
        return self.sampling.questions_per_step * (2 if self.views == "both" else 1)

    @property
    def rollouts_per_step(self) -> int:
        """All that is sampled in one step."""
        return self.prompts_per_step * self.run.group_size

    @property
    def rollouts_per_update(self) -> int:
        """OpenRLHF's train batch, over all GPUs; `updates_per_step` must divide the step (preflight)."""
        return self.rollouts_per_step // self.training.updates_per_step

    def total_steps(self, questions: int) -> int:
        """The rollout batches that `questions` come to; a last one that is not full is not counted."""
        return questions // self.sampling.questions_per_step * self.training.epochs
