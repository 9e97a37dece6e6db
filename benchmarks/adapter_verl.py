# pyright: basic, reportMissingImports=false
"""Take turns with 256 rollouts: the bare call, and verl's own reward worker with the adapter in it."""

import asyncio
import json
import sys
import time
from typing import Any

import ray
from co_rewarding_client import AsyncRewardClient, Rollout, RunSettings
from omegaconf import OmegaConf
from verl.experimental.reward_loop.reward_loop import RewardLoopWorker
from verl_rows import batch_of, configuration, tokenizer_folder

QUESTIONS, GROUP_SIZE, TURNS, WARM = 16, 8, 15, 3
RUN = "adapter-verl"


def rows_of(step: int) -> list[dict[str, Any]]:
    return [
        {
            "question_id": f"q{question}",
            "view": view,
            "index": index,
            "step": step,
            "response": f"It is \\boxed{{{(index + question + step) % 3}}}.",
        }
        for question in range(QUESTIONS)
        for view in ("original", "paraphrase")
        for index in range(GROUP_SIZE)
    ]


async def turns(url: str) -> None:
    told = {"url": url, "run": RUN}
    async with AsyncRewardClient(url, run=RUN) as client:
        await client.put_run(RUN, RunSettings(group_size=GROUP_SIZE))
        worker = RewardLoopWorker(OmegaConf.create(configuration(tokenizer_folder(), told)))
        for turn in range(TURNS + WARM):
            rows = rows_of(2 * turn)
            rollouts = [
                Rollout(
                    question_id=row["question_id"], view=row["view"], rollout=row["index"], response=row["response"]
                )
                for row in rows
            ]
            began = time.perf_counter()
            await client.rewards(rollouts, step=2 * turn)
            bare_s = time.perf_counter() - began
            batch = batch_of(worker.input_tokenizer, rows_of(2 * turn + 1))
            began = time.perf_counter()
            await worker.compute_score_batch(batch)
            if turn >= WARM:
                print(json.dumps({"bare_s": bare_s, "adapter_s": time.perf_counter() - began}))


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=200 * 2**20)
    asyncio.run(turns(sys.argv[1]))
