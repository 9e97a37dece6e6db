# pyright: basic, reportMissingImports=false
"""Rolls out by the Tinker cookbook's own code, with a policy that is no model, and prints each rollout as a JSON line.

`tinker_program.py URL RUN SCENARIO...` does one scenario after another; RUN begins the names of their runs.
"""

import asyncio
import json
import pickle
import random
import sys
from contextlib import nullcontext
from typing import Any

from co_rewarding_client import RunSettings
from co_rewarding_client.testing import Wire
from co_rewarding_client.testing.wire import unruly
from co_rewarding_client.tinker import EvaluationDataset, PairDataset, ViewGroup
from co_rewarding_client.tinker_training import Service
from tinker_cookbook.rl.metric_util import RLTestSetEvaluator, compute_trajectory_metrics
from tinker_cookbook.rl.rollout_strategy import RetryOnFailure
from tinker_cookbook.rl.rollouts import do_group_rollout
from tinker_fake import ask, guessing
from trl_tiny import ANSWERS

GROUP_SIZE = 8
QUESTIONS = 16


def questions(count: int) -> list[dict[str, Any]]:
    return [
        {
            "question_id": f"q{number}",
            "question": f"w0 w{number % 4}",
            "paraphrase": f"w1 w{number % 4}",
            "ground_truth": str(number % ANSWERS),
        }
        for number in range(count)
    ]


async def rolled_out(groups: list[ViewGroup]) -> list[dict[str, Any]]:
    """Roll out groups at once, in any order, and return what came of each rollout."""
    found: list[dict[str, Any]] = []
    responses: dict[int, list[str]] = {}
    policy = guessing()

    class Remembered(ViewGroup):
        async def compute_group_rewards(self, trajectory_group: Any, env_group: Any) -> Any:
            responses[id(self)] = [env.response for env in env_group]
            return await super().compute_group_rewards(trajectory_group, env_group)

    remembered = [Remembered(**vars(group)) for group in groups]
    random.Random(0).shuffle(remembered)
    ended = await asyncio.gather(*(do_group_rollout(group, policy) for group in remembered))
    for group, trajectories in zip(remembered, ended, strict=True):
        rewards = zip(responses[id(group)], trajectories.get_total_rewards(), trajectories.metrics_G, strict=True)
        for index, (response, reward, metrics) in enumerate(rewards):
            found.append(
                {
                    "question_id": group.row["question_id"],
                    "view": group.row["view"],
                    "index": index,
                    "response": response,
                    "reward": None if metrics["co_rewarding/abstained"] else reward,
                    "number": reward,
                    "step": group.batch.step if group.batch else None,
                    "attempt": group.attempt,
                }
            )
    metrics = compute_trajectory_metrics(ended, [group.logging_tags() for group in remembered])
    found.append({"metrics": {name: value for name, value in metrics.items() if "reward" in name}})
    return found


async def done(name: str, url: str, run: str) -> list[dict[str, Any]]:
    service = Service(url=url, run=run, patience_s=2.0 if name == "skipped" else 60.0)
    min_votes = {"some abstain": 4, "all abstain": 64}.get(name, 1)
    await service.begin(RunSettings(method="co-rewarding-i", group_size=GROUP_SIZE, min_votes=min_votes))
    train = PairDataset(
        service,
        questions(QUESTIONS),
        ask,
        group_size=GROUP_SIZE,
        questions_per_batch=QUESTIONS,
        epochs=2,
    )
    groups = list(train.get_batch(0))
    if name == "skipped":  # a view is missing, and a strategy goes on without its group
        assert RetryOnFailure().catches_group_errors
        await asyncio.gather(do_group_rollout(groups[0], guessing()), return_exceptions=True)
        train.get_batch(1)
    if name == "pickled":
        groups = pickle.loads(pickle.dumps(groups))
    found = await rolled_out(groups)
    if name == "again":
        found = [*found, *await rolled_out(list(train.get_batch(0)))]
    if name == "epochs":
        found = [*found, *await rolled_out(list(train.get_batch(1)))]
    if name == "evaluated":
        asked = EvaluationDataset(service, questions(QUESTIONS), ask, group_size=2)
        measured = await RLTestSetEvaluator(asked, max_tokens=8).eval_token_completer(guessing(1))
        found.append({"evaluation": {name: value for name, value in measured.items() if "reward" in name}})
        found = [*found, *await rolled_out(list(train.get_batch(1)))]
    return found


def main() -> None:
    url, run, *names = sys.argv[1:]
    for place, name in enumerate(names):
        with unruly(url, Wire.TWICE) if name == "twice" else nullcontext(url) as reached:
            try:
                lines = asyncio.run(done(name, reached, f"{run}-{place}"))
            except Exception as error:  # for the test to judge
                lines = [{"error": f"{type(error).__name__}: {error}"}]
        for line in lines:
            print(json.dumps({"scenario": name} | line))


if __name__ == "__main__":
    main()
