"""A training run of the real OpenRLHF with the real vLLM, on a CPU, small enough to be waited for."""

import contextlib
import json
import os
import random
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
HOOKS = Path(__file__).parent / "openrlhf_cpu"
GROUP = 4
PAIRS = 12
PAIRS_PER_STEP = 4
EPOCHS = 2
STEPS = EPOCHS * PAIRS // PAIRS_PER_STEP
ROLLOUTS = EPOCHS * PAIRS * 2 * GROUP
ANSWERS = [f"\\boxed{{{digit}}}" for digit in range(10)]
WORDS = ["What", "is", "plus", "?", "Add", "and", "to", "get", "the", "number", "."]
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]
ON_CPU = {
    "OPENRLHF_ON_CPU": "1",
    "DS_ACCELERATOR": "cpu",
    "DS_BUILD_OPS": "0",
    "GLOO_SOCKET_IFNAME": "lo",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # a process less to import everything
    "VLLM_NO_USAGE_STATS": "1",
}


def openrlhf_python() -> Path | None:
    """The Python that has OpenRLHF and vLLM, where `make e2e-openrlhf` installed it."""
    python = ROOT / os.environ.get("OPENRLHF_VENV", ".venv-openrlhf") / "bin" / "python"
    return python if python.exists() else None


def make_model(folder: Path) -> None:
    """A Llama of three million parameters that has learned nothing, and its tokenizer, where an answer is one token.

    So responses at random hold answers in boxes, groups disagree, and there is something to vote on.
    """
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = SPECIAL + [str(digit) for digit in range(10)] + WORDS + ANSWERS
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=3,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)


def make_questions(path: Path, run: str) -> None:
    """Questions as the data step writes them."""
    with path.open("w") as lines:
        for question_id, original, paraphrase, truth in sums(PAIRS):
            wordings = {"original": original, "paraphrase": paraphrase}
            identity = {"question_id": question_id, "n": GROUP, "run": run, "ground_truth": truth}
            labels = {f"label_{view}": json.dumps(identity | {"view": view}) for view in wordings}
            lines.write(json.dumps({"question_id": question_id, **wordings, **labels}) + "\n")


def sums(pairs: int) -> Iterator[tuple[str, str, str, str]]:
    """An id, two wordings and the answer, which is one digit, of each question."""
    chance = random.Random(0)
    for number in range(pairs):
        a = chance.randrange(10)
        b = chance.randrange(10 - a)
        yield f"sum/{number}", f"What is {a} plus {b} ?", f"Add {a} to {b} and get the number .", str(a + b)


def make_table(path: Path) -> None:
    """The same questions as a table, from which the data step makes the training set."""
    import pyarrow
    from pyarrow import parquet

    names = ["question_id", "question", "paraphrase", "ground_truth"]
    parquet.write_table(pyarrow.table([list(column) for column in zip(*sums(PAIRS), strict=True)], names=names), path)


def end(process: subprocess.Popen[bytes], within_s: float = 30.0) -> None:
    """The process and all that it has started are gone; what Ray and vLLM start does not always leave with it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=within_s)
        for each in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    process.wait(within_s)


@dataclass(frozen=True)
class Training:
    """What a training run is given."""

    folder: Path
    run: str
    urls: Sequence[str]
    agent: bool = False
    epochs: int = EPOCHS
    more: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def make(self) -> "Training":
        """Its model and its questions are there."""
        make_model(self.folder / "model")
        make_questions(self.folder / "train.jsonl", self.run)
        return self

    @property
    def logs(self) -> Path:
        """TensorBoard's."""
        return self.folder / "logs"

    def command(self) -> list[str]:
        """What is run by the Python that has OpenRLHF."""
        return ["-m", "co_rewarding_trainer.openrlhf.driver", *self.arguments()]

    def arguments(self) -> list[str]:
        """OpenRLHF's."""
        views = 2 * PAIRS_PER_STEP
        options: dict[str, object] = {
            "actor.model_name_or_path": self.folder / "model",
            "actor.num_gpus_per_node": 1,
            "actor.adam.lr": 1e-3,
            "actor.lr_warmup_ratio": 0.1,
            "ref.num_gpus_per_node": 1,
            "vllm.num_engines": 1,
            "vllm.gpu_memory_utilization": 0.15,
            "vllm.sync_backend": "gloo",
            "ds.zero_stage": 2,
            "ds.attn_implementation": "eager",
            "ds.param_dtype": "bf16",
            "data.prompt_dataset": self.folder / "train.jsonl",
            "data.input_key": "original",
            "data.label_key": "label_original",
            "data.max_len": 64,
            "rollout.max_new_tokens": 16,
            "rollout.batch_size": views,
            "rollout.micro_batch_size": 8,
            "rollout.n_samples_per_prompt": GROUP,
            "train.batch_size": views * GROUP,
            "train.micro_batch_size": 8,
            "train.num_episodes": self.epochs,
            "algo.advantage.estimator": "group_norm",
            "algo.advantage.is_correction_level": "token",
            "algo.kl.init_coef": 0.005,
            "algo.kl.estimator": "k3",
            "ckpt.path": self.folder / "checkpoints",
            "ckpt.output_dir": self.folder / "trained",
            "logger.tensorboard_dir": self.logs,
        }
        if self.agent:
            import co_rewarding_trainer.openrlhf as package

            options["train.agent_func_path"] = Path(package.__file__).with_name("agent.py")
        else:
            options["reward.remote_url"] = ",".join(f"{url}/get_reward" for url in self.urls)
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return [*words, "--vllm.enforce_eager", "--algo.kl.use_loss", *self.more]

    @contextlib.contextmanager
    def started(self) -> Iterator[subprocess.Popen[bytes]]:
        """The run, while the context lasts; nothing of it is left behind."""
        python = openrlhf_python()
        assert python is not None
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "VIRTUAL"))}
        environment |= ON_CPU | {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(HOOKS), os.environ.get("PYTHONPATH")))),
            "RAY_TMPDIR": str(self.folder),
            "CO_REWARDING_URL": self.urls[0],
            "CO_REWARDING_RUN": self.run,
            **self.environment,
        }
        command = [str(python), *self.command()]
        with (self.folder / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                yield process
            finally:
                end(process)

    def train(self, within_s: float = 480.0) -> "Trained":
        """The run from its beginning to its end."""
        began_s = time.monotonic()
        with self.started() as process:
            status = process.wait(within_s)
        return self.trained(status, time.monotonic() - began_s)

    def trained(self, status: int, took_s: float) -> "Trained":
        """What has come of it, by its logs."""
        assert status == 0, self.output()[-6000:]
        return Trained(took_s, read_scalars(self.logs))

    def output(self) -> str:
        """What it has printed so far."""
        return (self.folder / "output.txt").read_text(errors="replace")


class RecipeTraining(Training):
    """A run by `co-rewarding train` and the recipe that is shipped for this."""

    recipe = "cpu-smoke"

    @property
    def changes(self) -> Mapping[str, object]:
        """What the recipe leaves to be given."""
        return {"model.path": self.folder / "model", "data.source": self.folder / "pairs.parquet"}

    @property
    def logs(self) -> Path:
        return self.folder / "output" / "tensorboard"

    def make(self) -> "RecipeTraining":
        make_model(self.folder / "model")
        make_table(self.folder / "pairs.parquet")
        return self

    def command(self) -> list[str]:
        python = openrlhf_python()
        assert python is not None
        changes = {"run.name": self.run, **self.changes}
        settings = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
        options = ["--url", ",".join(self.urls), "--output", str(self.folder / "output"), *settings, *self.more]
        return [str(python.with_name("co-rewarding")), "train", self.recipe, *options]


@dataclass(frozen=True)
class Trained:
    """A run that ended well: how long it took, and each step's value of everything it logged."""

    took_s: float
    scalars: Mapping[str, list[float]]


def read_scalars(logs: Path) -> dict[str, list[float]]:
    """Everything in TensorBoard's files, as the trainer's own installation reads them."""
    read = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from pathlib import Path
(run,) = Path(sys.argv[1]).iterdir()
events = EventAccumulator(str(run))
events.Reload()
print(json.dumps({tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
"""
    command = [str(openrlhf_python()), "-c", read, str(logs)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
