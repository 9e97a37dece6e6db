"""List the functions of OpenRLHF that we override or call, and refuse any other version of OpenRLHF."""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from co_rewarding_trainer.openrlhf.errors import UnsupportedOpenRLHFError

TESTED = "0.11.2"

# Each function that we override or call, or that calls us, with the parameters that the function must have.
SIGNATURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "openrlhf.utils.deepspeed.deepspeed:DeepspeedStrategy.__init__": (
            "self",
            "seed",
            "full_determinism",
            "max_norm",
            "micro_train_batch_size",
            "train_batch_size",
            "zero_stage",
            "args",
        ),
        "openrlhf.utils.deepspeed.deepspeed:DeepspeedStrategy.setup_dataloader": (
            "self",
            "replay_buffer",
            "batch_size",
            "pin_memory",
            "shuffle",
            "collate_fn",
            "drop_last",
            "sampler",
            "consumed_samples",
            "num_workers",
        ),
        "openrlhf.utils.deepspeed.deepspeed:DeepspeedStrategy.optimizer_step": (
            "self",
            "_optimizer",
            "model",
            "_scheduler",
            "name",
            "kwargs",
        ),
        "openrlhf.trainer.ppo_utils.samples_generator:SamplesGenerator.generate_samples": ("self", "generate_kwargs"),
        "openrlhf.trainer.ppo_utils.samples_generator:SamplesGenerator._dispatch_prompts_to_vllm": (
            "self",
            "prompts",
            "labels",
            "images",
            "generate_kwargs",
        ),
        "openrlhf.trainer.ray.vllm_engine:RolloutRayActor.generate_responses": (
            "self",
            "prompt",
            "label",
            "sampling_params",
            "max_length",
            "hf_tokenizer",
            "num_samples",
            "images",
        ),
        "openrlhf.utils.agent:SingleTurnAgentExecutor.execute": (
            "self",
            "prompt",
            "label",
            "sampling_params",
            "max_length",
            "hf_tokenizer",
            "llm_engine",
            "images",
        ),
        "openrlhf.datasets.prompts_dataset:PromptDataset.__init__": (
            "self",
            "dataset",
            "tokenizer",
            "strategy",
            "input_template",
        ),
        "openrlhf.datasets.utils:blending_datasets": (
            "datasets",
            "probabilities",
            "strategy",
            "seed",
            "max_count",
            "stopping_strategy",
            "dataset_split",
        ),
    }
)


def check_version(version: str) -> None:
    """Checks that the installed OpenRLHF is the version that was tested.

    Raises:
        UnsupportedOpenRLHFError: another version is installed.
    """
    if version != TESTED:
        raise UnsupportedOpenRLHFError(
            f"OpenRLHF {version} is installed, and these seams were tested with {TESTED}: "
            f"pip install openrlhf=={TESTED}"
        )


def check_signatures(found: Mapping[str, Callable[..., Any]]) -> None:
    """Checks that every function of `SIGNATURES` exists with the expected parameters.

    Raises:
        UnsupportedOpenRLHFError: some differ; the message says which, and how.
    """
    wrong: list[str] = []
    for name, expected in SIGNATURES.items():
        function = found.get(name)
        parameters = None if function is None else _parameters(function)
        if parameters != expected:
            has = "is not there" if parameters is None else f"has ({', '.join(parameters)})"
            wrong.append(f"{name} {has}, expected ({', '.join(expected)})")
    if wrong:
        raise UnsupportedOpenRLHFError(
            f"OpenRLHF calls itself {TESTED} but differs from it; install it unchanged: {'; '.join(wrong)}"
        )


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Lists the names of a function's parameters, without those that Ray adds to an actor's methods."""
    return tuple(name for name in inspect.signature(function).parameters if not name.startswith("_ray_"))
