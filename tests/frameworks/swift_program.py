# pyright: basic, reportMissingImports=false
"""Trains with `swift rlhf --rlhf_type grpo`, scenario by scenario, and prints what was sampled and rewarded.

`swift_program.py URL FOLDER PROCESSES RUN NAME...` trains the named scenarios one after another in one start, because
importing ms-swift takes longer than a training. RUN begins the names of the runs. A JSON line each.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import torch
from co_rewarding_client.swift import CoRewarding, write_pairs
from swift.pipelines import rlhf_main
from trl_tiny import ANSWERS, save_tiny

RANK = int(os.environ.get("RANK", "0"))
PLUGIN = Path(__file__).parents[2] / "clients" / "examples" / "swift_plugin.py"
TRAINED = {
    "rlhf_type": "grpo",
    "model_type": "llama",
    "template": "dummy",
    "template_backend": "jinja",
    "tuner_type": "full",
    "torch_dtype": "float32",
    "attn_impl": "eager",
    "reward_funcs": "co_rewarding",
    "callbacks": "co_rewarding",
    "dataset_shuffle": "false",
    "split_dataset_ratio": "0",
    "num_generations": "4",
    "per_device_train_batch_size": "8",
    "gradient_accumulation_steps": "1",
    "max_steps": "3",
    "max_completion_length": "4",
    "learning_rate": "1e-3",
    "warmup_ratio": "0",
    "logging_steps": "1",
    "save_strategy": "no",
    "eval_strategy": "no",
    "report_to": "none",
    "use_hf": "true",
    "check_model": "false",
    "use_cpu": "true",
    "bf16": "false",
    "gradient_checkpointing": "false",
    "dataloader_num_workers": "0",
    "dataset_num_proc": "1",
    "load_from_cache_file": "false",
}
EVALUATED = {
    "eval_strategy": "steps",
    "eval_steps": "1",
    "num_generations_eval": "2",
    "per_device_eval_batch_size": "4",
}


@dataclass(frozen=True)
class Scenario:
    """What a training is given besides its defaults: flags, options of `register`, and the questions of evaluations."""

    flags: Mapping[str, str | None] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    evaluated: int = 0
    truths: bool = True


SCENARIOS = {
    "plain": Scenario(),
    "evaluated": Scenario(EVALUATED, evaluated=4),
    "voted evaluation": Scenario(EVALUATED, evaluated=4, truths=False),
    "accumulated": Scenario({"gradient_accumulation_steps": "4", "steps_per_generation": "2", "num_iterations": "2"}),
    "a view a rank": Scenario({"per_device_train_batch_size": "2", "gradient_accumulation_steps": "2"}),
    "all abstain": Scenario(options={"settings": {"min_votes": 64}}),
    "some abstain": Scenario(
        {"num_generations": "8", "per_device_train_batch_size": "96"}, {"settings": {"min_votes": 3}}
    ),
    "taught": Scenario({"gradient_accumulation_steps": "2"}, {"method": "co-rewarding-ii"}),
    "shuffled": Scenario({"dataset_shuffle": "true"}),
    "odd": Scenario({"per_device_train_batch_size": "4"}),
    "dynamic": Scenario({"dynamic_sample": "true"}),
    "too long": Scenario({"truncation_strategy": "delete"}),
    "no callback": Scenario({"callbacks": None}),
    "no reward function": Scenario({"reward_funcs": "format"}),
    "nobody there": Scenario(options={"url": "http://127.0.0.1:9", "patience_s": 1.0}),
}


def questions(count: int, truths: bool = True) -> list[dict[str, Any]]:
    more = [{"ground_truth": str(number % ANSWERS)} if truths else {} for number in range(count)]
    return [
        {"question_id": f"q{number}", "question": f"w0 w{number % 4}", "paraphrase": f"w1 w{number % 4}"} | more[number]
        for number in range(count)
    ]


def recorded(tell: Callable[..., None]) -> Callable[..., Any]:
    """CoRewarding.__call__, written down."""
    asked = CoRewarding.__call__

    def call(self: CoRewarding, completions: Any, **columns: Any) -> Any:
        told: dict[str, list[Any]] = {}
        columns["log_extra"] = lambda name, values: told.setdefault(name, values)
        rewards = asked(self, completions, **columns)
        tell(
            "call",
            step=columns["trainer_state"].global_step,
            learning=self._model.training,
            question_ids=columns.get("question_id"),
            views=columns.get("view"),
            responses=list(completions),
            truths=columns.get("ground_truth"),
            text=self._text(columns["messages"][0][:-1]),
            labels=told.get("co_rewarding_label"),
            rewards=rewards,
        )
        return rewards

    return call


def train(name: str, url: str, run: str, folder: Path, tell: Callable[..., None]) -> None:
    scenario = SCENARIOS[name]
    home = folder / run
    home.mkdir(exist_ok=True)
    plugin = PLUGIN
    if scenario.options:
        plugin = home / f"plugin_{run.replace('-', '_')}.py"
        plugin.write_text(f"from co_rewarding_client.swift import register\n\nregister(**{scenario.options!r})\n")
    pairs = home / f"pairs{RANK}.jsonl"
    write_pairs(pairs, questions(12), system_prompt="w2")
    flags: dict[str, str | None] = {
        **TRAINED,
        "model": str(folder / "model"),
        "external_plugins": str(plugin),
        "dataset": str(pairs),
        "output_dir": str(home / "out"),
    }
    if scenario.evaluated:
        flags["val_dataset"] = str(home / f"evaluated{RANK}.jsonl")
        Path(flags["val_dataset"]).write_text(
            "".join(
                json.dumps(
                    {"messages": [{"role": "user", "content": row["question"]}]}
                    | {name: row[name] for name in ("question_id", "ground_truth") if name in row}
                )
                + "\n"
                for row in questions(scenario.evaluated, scenario.truths)
            )
        )
    flags |= scenario.flags
    os.environ["CO_REWARDING_URL"], os.environ["CO_REWARDING_RUN"] = url, run
    original = CoRewarding.__call__
    CoRewarding.__call__ = recorded(tell)  # type: ignore[method-assign]
    try:
        words = [word for flag, value in flags.items() if value is not None for word in (f"--{flag}", value)]
        rlhf_main(words)
        logs = sorted((home / "out").glob("**/logging.jsonl"))
        tell("log", history=[json.loads(line) for line in logs[-1].read_text().splitlines()] if logs else [])
    except Exception as error:  # for the test to judge
        tell("error", kind=type(error).__name__, text=str(error))
    finally:
        CoRewarding.__call__ = original  # type: ignore[method-assign]


def main() -> None:
    url, where, processes, run, *names = sys.argv[1:]
    folder = Path(where)
    if "RANK" not in os.environ:
        save_tiny(folder / "model")
    if int(processes) > 1 and "RANK" not in os.environ:
        launched = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={processes}", *sys.argv]
        ended = subprocess.run(launched, check=False, stdout=sys.stderr).returncode
        for part in sorted(folder.glob(f"{run}.*.jsonl")):
            print(part.read_text(), end="")
        sys.exit(ended)
    torch.set_num_threads(1)
    told = folder / f"{run}.{RANK}.jsonl"
    with told.open("w") as lines, contextlib.redirect_stdout(sys.stderr):
        for place, name in enumerate(names):
            train(name, url, f"{run}-{place}", folder, partial(tell, lines, name))
    if "RANK" not in os.environ:
        print(told.read_text(), end="")


def tell(lines: TextIO, scenario: str, what: str, **facts: Any) -> None:
    print(json.dumps({"scenario": scenario, "rank": RANK, "what": what} | facts), file=lines, flush=True)


if __name__ == "__main__":
    main()
