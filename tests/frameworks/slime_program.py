"""Reward rollouts by slime's or miles' own reward code, and print what came of it as JSON lines.

    slime_program.py TRAINER FOLDER rewards WAY ORDER URL [UNDISTURBED_URL]    WAY: url, single or group
    slime_program.py TRAINER FOLDER conformance UNIT URL CASE ...
    slime_program.py TRAINER FOLDER alone URL                  one view of each question

The reward code is that of `rollout/rm_hub`: what generation calls for each sample, or for each group.
"""

import asyncio
import importlib
import json
import random
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from co_rewarding_client import RewardClient, RunSettings, slime, testing
from co_rewarding_client.testing.reference import cross_view_rewards, key
from co_rewarding_client.testing.sampling import GROUP_SIZE, step_of
from co_rewarding_client.training import AllAbstainedError

sys.path.insert(0, str(Path(__file__).parents[2] / "clients" / "examples"))
import slime_source

QUESTIONS = 128
STEP = 3
OTHER = {"original": "paraphrase", "paraphrase": "original"}


class Trainer:
    """The reward code of slime or miles, and samples of its own class."""

    def __init__(self, name: str, downloads: Path, group_size: int = GROUP_SIZE) -> None:
        self._group_size = group_size
        slime_source.load(name, downloads)
        self.rewards = importlib.import_module(f"{name}.rollout.rm_hub")
        self.sample_class = importlib.import_module(f"{name}.utils.types").Sample
        self.misc = importlib.import_module(f"{name}.utils.misc")

    def args(self, questions: int, **more: Any) -> Namespace:
        """The flags that reward code reads."""
        flags = {"custom_rm_path": None, "rm_type": None, "rm_url": None, "reward_key": None, "group_rm": False}
        sizes = {"n_samples_per_prompt": self._group_size, "n_samples_per_eval_prompt": 2, "num_rollout": 1000}
        batch = {"rollout_batch_size": 2 * questions, "over_sampling_batch_size": 2 * questions}
        return Namespace(**flags, **sizes, **batch, rollout_shuffle=False, partial_rollout=False, **more)

    def sample(self, rollout: testing.Sampled, questions: int, *, evaluate: bool = False) -> Any:
        """A sample as the data source and generation leave it."""
        number = int(rollout.question_id.removeprefix("q"))
        group = STEP * 2 * questions + 2 * number + (rollout.view == "paraphrase")
        label = {"question_id": rollout.question_id, "view": rollout.view}
        if rollout.ground_truth is not None:
            label["ground_truth"] = rollout.ground_truth
        made = self.sample_class(
            group_index=None if evaluate else group,
            index=(2 * number if evaluate else group * self._group_size) + rollout.index,
            prompt=rollout.prompt,
            response=rollout.response,
            label=label | ({"evaluate": True} if evaluate else {"n": self._group_size}),
        )
        made.status = self.sample_class.Status.COMPLETED
        return made


def started_again(trainer: Trainer, began_s: float) -> None:
    """Make the module as it is in a new process of the trainer."""
    slime.reward = slime.SlimeReward(began_s)
    getattr(trainer.misc.load_function, "cache_clear", lambda: None)()


class Adapter:
    """A trainer's rollout process, of which there is one for all ranks of the training."""

    def __init__(self, trainer: Trainer, process: testing.Process, unit: str) -> None:
        settings = msgspec.to_builtins(process.settings) | {"evaluation_group_size": 2}
        place = {"url": process.url, "run": process.run, "patience_s": process.patience_s, "timeout_s": 5.0}
        self._trainer, self._unit = trainer, unit
        self._args = trainer.args(8, co_rewarding=place | {"settings": settings})
        self._args.custom_rm_path = "co_rewarding_client.slime.reward"

    async def score(self, handed: testing.Handed) -> Sequence[float | None]:
        samples = [self._trainer.sample(each, 8, evaluate=handed.evaluate) for each in handed.rollouts]
        rewards = self._trainer.rewards
        try:
            if handed.evaluate or self._unit == "rollout":
                found = await asyncio.gather(*(rewards.async_rm(self._args, sample) for sample in samples))
            else:
                found = await rewards.batched_async_rm(self._args, samples)
        except slime.TrainingStopped as stopped:
            raise stopped.__cause__ or AssertionError(stopped) from stopped
        return [None if sample.remove_sample else reward for sample, reward in zip(samples, found, strict=True)]

    async def close(self) -> None:
        """The process ends; its connections with it."""


def conformance(trainer: Trainer, unit: Any, url: str, *cases: str) -> None:
    def make(process: testing.Process) -> Adapter:
        if process.rank == 0:
            started_again(trainer, process.began_s)
        return Adapter(trainer, process, unit)

    testing.main(make, unit=unit, arguments=[url, *cases])


ORDERS: dict[str, Callable[[testing.Sampled], Any]] = {
    "group": lambda rollout: 0,
    "view": lambda rollout: rollout.view,
    "random": lambda rollout: random.Random(repr(rollout)).random(),
    "interleaved": lambda rollout: (rollout.index, rollout.view),
}


def expected_of(rollouts: Sequence[testing.Sampled], way: str) -> list[float]:
    """The rewards by plain counting. By the URL rollouts have no index, and a tie goes to the lowest answer."""
    if way == "url":
        votes = Counter((each.question_id, each.view, each.answer) for each in rollouts if each.answer)
        best: dict[tuple[str, str], str | None] = {}
        for question_id, view, answer in sorted(votes, key=lambda vote: (-votes[vote], vote)):
            best.setdefault((question_id, OTHER[view]), answer)
        return [float(best.get((each.question_id, each.view), "none") == each.answer) for each in rollouts]
    rewards = cross_view_rewards(rollouts)
    return [rewards[key(each)] or 0.0 for each in rollouts]


async def rewarded(trainer: Trainer, way: str, order: str, url: str, undisturbed_url: str = "") -> None:
    run = f"slime-{time.time_ns()}"
    # By the URL alone, equal texts of a group that are not held at one time are taken for one.
    asked = sorted(step_of(testing.Case(name=order, about="", questions=QUESTIONS), "one"), key=ORDERS[order])
    settings = RunSettings(method="co-rewarding-i", group_size=GROUP_SIZE)
    args = trainer.args(QUESTIONS, co_rewarding={"url": url, "run": run, "settings": {"method": settings.method}})
    if way == "url":
        with RewardClient(undisturbed_url or url) as client:
            client.put_run(run, settings)
        args.rm_type, args.rm_url, args.reward_key = "remote_rm", f"{url}/v1/remote_rm?run={run}", "reward"
    else:
        args.custom_rm_path = "co_rewarding_client.slime.reward"
    samples = [trainer.sample(each, QUESTIONS) for each in asked]
    if way == "url":
        for sample in samples:
            sample.response += f" ({sample.index})"
    began_s = time.monotonic()
    if way == "group":
        groups: dict[int, list[Any]] = {}
        for sample in samples:
            groups.setdefault(sample.group_index, []).append(sample)
        calls = [trainer.rewards.batched_async_rm(args, group) for group in groups.values()]
        for group, found in zip(groups.values(), await asyncio.gather(*calls), strict=True):
            for sample, reward in zip(group, found, strict=True):
                sample.reward = reward
    else:
        calls = [trainer.rewards.async_rm(args, sample) for sample in samples]
        for sample, reward in zip(samples, await asyncio.gather(*calls), strict=True):
            sample.reward = reward
    seconds = time.monotonic() - began_s
    values = [sample.get_reward_value(args) for sample in samples]
    wrong = sum(value != due for value, due in zip(values, expected_of(asked, way), strict=True))
    print(json.dumps({"rewarded": len(values), "wrong": wrong, "ones": sum(values), "seconds": seconds}))


async def alone(trainer: Trainer, url: str) -> None:
    """Reward a step to whose questions the second view never comes."""
    settings = {"method": "co-rewarding-i", "cohort_deadline_s": 2.0}
    run = f"slime-{time.time_ns()}"
    args = trainer.args(2, co_rewarding={"url": url, "run": run, "settings": settings})
    args.custom_rm_path = "co_rewarding_client.slime.reward"
    asked = step_of(testing.Case(name="alone", about="", questions=4, lone_questions=4), "one")
    samples = [trainer.sample(each, 2) for each in asked]
    groups = [samples[start : start + GROUP_SIZE] for start in range(0, len(samples), GROUP_SIZE)]
    for number, group in enumerate(groups):
        for sample in group:
            sample.group_index = 4 * STEP + number
    calls = (trainer.rewards.batched_async_rm(args, group) for group in groups)
    try:
        await asyncio.gather(*calls)
    except (slime.TrainingStopped, AllAbstainedError) as error:
        left_out = sum(sample.remove_sample for sample in samples)
        print(json.dumps({"error": type(error).__name__, "words": str(error), "left_out": left_out}))


def main() -> None:
    name, folder, what, *words = sys.argv[1:]
    trainer = Trainer(name, Path(folder))
    if what == "rewards":
        asyncio.run(rewarded(trainer, *words))
    elif what == "alone":
        asyncio.run(alone(trainer, *words))
    else:
        conformance(trainer, *words)


if __name__ == "__main__":
    main()
