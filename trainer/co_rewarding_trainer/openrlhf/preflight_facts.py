"""Collect the facts that the preflight checks: service, model, machine, disk, questions. No check needs a GPU."""

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from co_rewarding_client import CoRewardingError
from co_rewarding_client.errors import one_line

from co_rewarding_trainer.folders import try_folder
from co_rewarding_trainer.openrlhf.arguments import RunPaths
from co_rewarding_trainer.openrlhf.data import DatasetCounts, Prompt
from co_rewarding_trainer.openrlhf.errors import DataError
from co_rewarding_trainer.openrlhf.recipe import Recipe
from co_rewarding_trainer.openrlhf.service import CheckedService
from co_rewarding_trainer.openrlhf.sources import source_trouble

NEEDED = ("torch", "transformers", "datasets", "ray", "vllm", "deepspeed")
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
PARAMETERS_IN_NAME = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([BM])(?![a-z])", re.IGNORECASE)


class Tokenizer(Protocol):
    """A tokenizer of transformers, as far as it is used."""

    chat_template: Any
    apply_chat_template: Callable[..., Any]

    def __call__(self, text: str, *, add_special_tokens: bool) -> Mapping[str, Any]:
        """Returns the tokens of a text as "input_ids"."""
        ...


@dataclass(frozen=True, kw_only=True)
class ServiceFacts:
    """The answers of the service; `trouble` is the reason if there was no answer."""

    url: str
    trouble: str | None = None
    version: str = ""
    contract: str = ""
    methods: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    cohorts_of_run: int = 0
    """The cohorts that a run of this name already has."""


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """The policy's model; None for what is not known."""

    folder: bool
    """The path is a folder here."""
    exists: bool
    """The path is a folder with a configuration, or has the form of a name on the hub."""
    parameters: float | None = None
    positions: int | None = None
    attention_heads: int | None = None
    chat_template: bool | None = None
    trouble: str | None = None
    """Why the tokenizer could not be loaded."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The hardware and packages of a machine."""

    gpus: int | None
    """None if not known."""
    ray_address: str | None
    """The Ray cluster, if the run joins one."""
    openrlhf: str | None
    missing: tuple[str, ...]
    """Packages that OpenRLHF needs and that are not installed."""
    flash_attention: bool
    wandb_key: bool
    free_bytes: Callable[[Path], int | None]
    """Free space in the file system of a path, which need not exist; None if not known."""

    @classmethod
    def here(cls, environ: Mapping[str, str]) -> "Machine":
        """Looks up this machine."""
        return cls(
            gpus=count_gpus(environ),
            ray_address=environ.get("RAY_ADDRESS") or None,
            openrlhf=_version("openrlhf"),
            missing=tuple(name for name in NEEDED if importlib.util.find_spec(name) is None),
            flash_attention=importlib.util.find_spec("flash_attn") is not None,
            wandb_key=bool(environ.get("WANDB_API_KEY")) or _netrc_has("api.wandb.ai"),
            free_bytes=_free,
        )


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the checks look at."""

    service: ServiceFacts
    model: ModelFacts
    output: str
    output_trouble: str | None
    checkpoints: bool
    """The output folder has checkpoints of an earlier training."""
    free_bytes: int | None
    weights_free_bytes: int | None
    machine: Machine
    questions_trouble: str | None = None
    """Why the questions to train on cannot be read."""
    evaluation_trouble: str | None = None
    resume: bool = False
    counts: DatasetCounts | None = None
    """None before the data set is made."""
    sent: Mapping[str, Any] | None = None
    registered: Mapping[str, Any] | None = None
    """The run's settings as sent, and as the service has them; None before the run is registered."""


def gather(recipe: Recipe, paths: RunPaths, service: CheckedService, machine: Machine, *, resume: bool) -> Facts:
    """Gathers the facts known before the data set is made. Leaves nothing behind, not even the output folder."""
    trouble = _writable(paths.output)
    evaluation = recipe.evaluation
    judged_by = evaluation.column.model_copy(update={"paraphrase": ""})
    return Facts(
        service=_service(recipe, service),
        model=_model(recipe.model.path),
        output=str(paths.output),
        output_trouble=trouble,
        checkpoints=(paths.checkpoints / "_actor").is_dir(),
        free_bytes=machine.free_bytes(paths.output),
        weights_free_bytes=machine.free_bytes(paths.weights),
        machine=machine,
        questions_trouble=source_trouble(recipe.data.source, recipe.data.column),
        evaluation_trouble=None if evaluation.source is None else source_trouble(evaluation.source, judged_by),
        resume=resume,
    )


def load_tokenizer(recipe: Recipe) -> Tokenizer | None:
    """Loads the policy's tokenizer; None if transformers is not installed.

    Raises:
        DataError: the tokenizer cannot be loaded.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError:
        return None
    offline = os.environ.get("HF_HUB_OFFLINE", recipe.environment.get("HF_HUB_OFFLINE")) == "1"
    try:
        return AutoTokenizer.from_pretrained(recipe.model.path, local_files_only=offline)
    except Exception as cause:  # of the hub, of the network, of the files: there is no common root
        raise DataError(one_line(str(cause))) from cause


def with_tokenizer(facts: Facts, tokenizer: Tokenizer | None) -> Facts:
    """Adds to the facts whether the tokenizer has a chat template."""
    if tokenizer is None:
        return facts
    return replace(facts, model=replace(facts.model, chat_template=bool(tokenizer.chat_template)))


def prompt_tokens(tokenizer: Tokenizer) -> Callable[[Prompt], int]:
    """Makes a function that counts a prompt's tokens as OpenRLHF does: by the template, no special tokens added."""

    def count(prompt: Prompt) -> int:
        if isinstance(prompt, str):
            text = prompt
        else:
            text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    return count


def count_gpus(environ: Mapping[str, str]) -> int | None:
    """Counts the GPUs of this machine by CUDA_VISIBLE_DEVICES, else nvidia-smi, else torch; None if unknown."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([each for each in visible.split(",") if each.strip() not in {"", "-1"}])
    program = shutil.which("nvidia-smi")
    if program is not None:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
        if listed.returncode == 0:
            return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    try:
        import torch
    except ImportError:
        return None
    return torch.cuda.device_count()


def parameters_in(name: str) -> float | None:
    """Reads the number of parameters from a model's name: 1.7e9 for Qwen3-1.7B-Base; None if the name has none."""
    found = PARAMETERS_IN_NAME.findall(name.rpartition("/")[2])
    if not found:
        return None
    number, unit = found[-1]
    return float(number) * {"B": 1e9, "M": 1e6}[unit.upper()]


def _service(recipe: Recipe, service: CheckedService) -> ServiceFacts:
    try:
        version = service.version()
        run = service.run(recipe.run.name)
        return ServiceFacts(
            url=service.url,
            version=str(version.get("version", "")),
            contract=str(version.get("contract", "")),
            methods=frozenset(version.get("methods", ())),
            routes=service.routes(),
            cohorts_of_run=sum(run.get("state", {}).values()) if run else 0,
        )
    except CoRewardingError as error:
        return ServiceFacts(url=service.url, trouble=str(error))


def _model(path: str) -> ModelFacts:
    folder = Path(path)
    if not folder.is_dir():
        named = HUB_NAME.fullmatch(path) is not None
        return ModelFacts(folder=False, exists=named, parameters=parameters_in(path))
    config = _json(folder / "config.json")
    stored = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    width = 4 if config.get("dtype", config.get("torch_dtype")) == "float32" else 2
    return ModelFacts(
        folder=True,
        exists=bool(config),
        parameters=stored / width if stored else parameters_in(path),
        positions=config.get("max_position_embeddings"),
        attention_heads=config.get("num_attention_heads"),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _writable(folder: Path) -> str | None:
    """Says why the folder cannot be made or written to; None if it can."""
    try:
        try_folder(folder)
    except OSError as error:
        return error.strerror
    return None


def _free(folder: Path) -> int | None:
    for place in (folder, *folder.parents):
        if place.is_dir():
            return shutil.disk_usage(place).free
    return None


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _netrc_has(host: str) -> bool:
    try:
        return host in (Path.home() / ".netrc").read_text(encoding="utf-8")
    except (OSError, ValueError, RuntimeError):
        return False
