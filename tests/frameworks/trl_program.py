# pyright: basic, reportMissingImports=false
"""Trains with TRL's own GRPOTrainer, scenario by scenario, and prints what was sampled and rewarded, a JSON line each.

`trl_program.py URL FOLDER PROCESSES RUN NAME...` trains the named scenarios one after another in one start, because
importing TRL takes longer than a training. RUN begins the names of the runs.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import torch
from co_rewarding_client.testing.cases import AWAY_S, Wire
from co_rewarding_client.testing.wire import UnrulyWire
from co_rewarding_client.trl import CoRewarding, paired
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer
from trl.experimental.async_grpo import AsyncGRPOConfig
from trl_tiny import ANSWERS, tiny_model, tiny_tokenizer

RANK = int(os.environ.get("RANK", "0"))
QUIET: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "report_to": [],
    "logging_steps": 1,
    "disable_tqdm": True,
    "save_strategy": "no",
    "max_completion_length": 4,
    "learning_rate": 1e-3,
    "shuffle_dataset": False,
    "num_generations": 4,
    "per_device_train_batch_size": 8,
    "max_steps": 3,
}


@dataclass(frozen=True)
class Scenario:
    """What a training is given besides its defaults: options of GRPOConfig, of the adapter, and the data."""

    config: dict[str, Any] = field(default_factory=dict)
    adapter: dict[str, Any] = field(default_factory=dict)
    questions: int = 12
    data: str = "paired"
    evaluated: int = 0
    truths: bool = True
    resume_from: int | None = None
    away_at_step: int | None = None
    as_callback: bool = True


EVALUATED = {"eval_strategy": "steps", "eval_steps": 1, "num_generations_eval": 2, "per_device_eval_batch_size": 4}
MOVING = {"settings": {"alpha_start": 0.0, "alpha_end": 0.0}}  # the teacher is each step's policy
SPLIT = {"per_device_train_batch_size": 2}
SCENARIOS = {
    "plain": Scenario(),
    "evaluated": Scenario(EVALUATED, evaluated=3),
    "voted evaluation": Scenario(EVALUATED, evaluated=3, truths=False),
    "accumulated": Scenario({"gradient_accumulation_steps": 4, "steps_per_generation": 2, "num_iterations": 2}),
    "many generations": Scenario({"gradient_accumulation_steps": 3, "steps_per_generation": 1}),
    "epochs": Scenario({"max_steps": 8}, questions=4, data="epochs"),
    "conversational": Scenario(data="conversational"),
    "some abstain": Scenario({"num_generations": 8, "per_device_train_batch_size": 32}, {"settings": {"min_votes": 3}}),
    "all abstain": Scenario(adapter={"settings": {"min_votes": 64}}),
    "resumed": Scenario({"max_steps": 4, "save_strategy": "steps", "save_steps": 2}, resume_from=2),
    "split groups": Scenario(SPLIT | {"max_steps": 4}),
    "split and evaluated": Scenario(SPLIT | EVALUATED | {"per_device_eval_batch_size": 1}, evaluated=3, truths=False),
    "split and resumed": Scenario(
        SPLIT | {"max_steps": 4, "save_strategy": "steps", "save_steps": 2, "steps_per_generation": 2}, resume_from=2
    ),
    "a view a rank": Scenario(
        {"num_generations": 8, "gradient_accumulation_steps": 3, "steps_per_generation": 1},
        {"settings": {"min_votes": 3}},
    ),
    "shuffled": Scenario({"shuffle_dataset": True}),
    "odd": Scenario({"per_device_train_batch_size": 4}),
    "views apart": Scenario(data="apart"),
    "a question twice": Scenario(data="twice"),
    "no ids": Scenario(data="no ids"),
    "no callback": Scenario(as_callback=False),
    "nobody there": Scenario(adapter={"url": "http://127.0.0.1:9", "patience_s": 1.0}),
    "asynchronous": Scenario(),
    "away": Scenario(away_at_step=1),
    "away for too long": Scenario(adapter={"patience_s": 2.0}, away_at_step=1),
    "taught": Scenario({"max_steps": 4, "gradient_accumulation_steps": 2}, {"method": "co-rewarding-ii"} | MOVING),
    "taught over a shared disk": Scenario(
        {"per_device_train_batch_size": 4, "num_iterations": 2},
        {"method": "co-rewarding-iii", "weights_root": os.environ.get("WEIGHTS_ROOT")} | MOVING,
        data="conversational",
    ),
}


class Recorded(CoRewarding):
    """Writes down what is sampled, and what comes of it."""

    def __init__(self, tell: Callable[..., None], **options: Any) -> None:
        super().__init__(**options)
        self._tell = tell

    def __call__(self, prompts: Any, completions: Any, trainer_state: Any = None, **columns: Any) -> Any:
        told: dict[str, list[Any]] = {}
        columns["log_extra"] = lambda name, values: told.setdefault(name, values)
        began_s = time.monotonic()
        rewards = super().__call__(prompts, completions, trainer_state, **columns)
        self._tell(
            "call",
            step=trainer_state.global_step,
            learning=self._model.training,
            question_ids=columns.get("question_id"),
            views=columns.get("view"),
            responses=[each if isinstance(each, str) else each[-1]["content"] for each in completions],
            truths=columns.get("ground_truth"),
            labels=told.get("co_rewarding_label"),
            rewards=rewards,
            seconds=time.monotonic() - began_s,
        )
        return rewards


class Away(TrainerCallback):
    """Takes the service away at a step, as far as the trainer can see."""

    def __init__(self, wire: UnrulyWire, step: int) -> None:
        self.wire, self.step = wire, step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            self.wire.away_until_s = time.monotonic() + AWAY_S


def questions(count: int, truths: bool) -> list[dict[str, Any]]:
    more = [{"ground_truth": str(number % ANSWERS)} if truths else {} for number in range(count)]
    return [
        {"question_id": f"q{number}", "question": f"w0 w{number % 4}", "paraphrase": f"w1 w{number % 4}"} | more[number]
        for number in range(count)
    ]


def data(scenario: Scenario) -> Dataset:
    asked = questions(scenario.questions, scenario.truths)
    if scenario.data == "conversational":
        return paired(asked, system_prompt="w2")
    made = paired(asked, epochs=4 if scenario.data == "epochs" else 1)
    if scenario.data == "apart":
        return made.sort("view")
    if scenario.data == "twice":
        return made.select([0, 1, 0, 1, 2, 3])
    return made.remove_columns(["question_id"]) if scenario.data == "no ids" else made


def originals(scenario: Scenario) -> Dataset:
    asked = questions(scenario.evaluated, scenario.truths)
    names = {"question_id": "question_id", "question": "prompt", "ground_truth": "ground_truth"}
    return Dataset.from_list([{names[name]: row[name] for name in names if name in row} for row in asked])


def train(name: str, url: str, run: str, folder: Path, tell: Callable[..., None]) -> None:
    scenario = SCENARIOS[name]
    wire = None
    if scenario.away_at_step is not None:
        wire = UnrulyWire(url, Wire.PLAIN)
        url = wire.url
        threading.Thread(target=wire.serve_forever, daemon=True).start()
    config = GRPOConfig(output_dir=str(folder / run), **QUIET | scenario.config)
    if name == "a question twice":
        config.generation_batch_size, config.steps_per_generation = 16, 2

    if name == "asynchronous":  # its trainer needs a server of vLLM's; the hook is called when the trainer is made
        config = AsyncGRPOConfig(output_dir=str(folder / run), use_cpu=True, bf16=False)

    def resumed_from(checkpoint: str | None) -> None:
        reward = Recorded(tell, **{"url": url, "run": run} | scenario.adapter)
        if name == "asynchronous":
            reward.on_init_end(config, None, None)
        callbacks: list[Any] = [reward] if scenario.as_callback else []
        if wire is not None and scenario.away_at_step is not None:
            callbacks.append(Away(wire, scenario.away_at_step))
        trainer = GRPOTrainer(
            model=tiny_model(),
            reward_funcs=reward,
            args=config,
            train_dataset=data(scenario),
            eval_dataset=Dataset.from_list(
                [
                    {
                        "prompt": row["question"],
                        "ground_truth": row.get("ground_truth"),
                        "question_id": row["question_id"],
                    }
                    for row in questions(scenario.evaluated, scenario.truths)
                ]
            )
            if scenario.evaluated
            else None,
            processing_class=tiny_tokenizer(),
            callbacks=callbacks,
        )
        trainer.train(resume_from_checkpoint=checkpoint)
        tell("log", history=trainer.state.log_history)

    tell("begin", run=run)
    try:
        resumed_from(None)
        if scenario.resume_from is not None:
            ended = int(time.time())
            while int(time.time()) == ended:  # a trainer takes longer to be started again
                time.sleep(0.01)
            checkpoint = folder / run / f"checkpoint-{scenario.resume_from}"
            for state in checkpoint.glob("rng_state*"):  # with its random state a step is sampled as it was before
                state.unlink()
            tell("resumed")
            resumed_from(str(checkpoint))
    except Exception as error:  # for the test to judge
        tell("error", kind=type(error).__name__, text=str(error))


def main() -> None:
    url, where, processes, run, *names = sys.argv[1:]
    folder = Path(where)
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
            began_s = time.monotonic()
            train(name, url, f"{run}-{place}", folder, partial(tell, lines, name))
            tell(lines, name, "end", seconds=time.monotonic() - began_s)
    if torch.distributed.is_initialized():  # gloo aborts where a rank is gone before the others have ended
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
    if "RANK" not in os.environ:
        print(told.read_text(), end="")


def tell(lines: TextIO, scenario: str, what: str, **facts: Any) -> None:
    print(json.dumps({"scenario": scenario, "rank": RANK, "what": what} | facts), file=lines, flush=True)


if __name__ == "__main__":
    main()
