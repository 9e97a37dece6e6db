# pyright: basic, reportMissingImports=false
"""Prove verl's adapter by the conformance kit: verl's own reward worker, called as its agent loop calls it.

verl_conformance.py URL [CASE ...]
"""

import asyncio
import time
from collections.abc import Sequence

import ray
from co_rewarding_client import RewardClient, testing
from omegaconf import OmegaConf
from verl.experimental.reward_loop.reward_loop import RewardLoopWorker
from verl_rows import batch_of, configuration, tokenizer_folder


class Verl:
    """A process of verl: its reward worker, which here has no process of its own."""

    def __init__(self, process: testing.Process, folder: str) -> None:
        told = {"url": process.url, "run": process.run, "patience_s": process.patience_s}
        settings = {"settings": {"method": process.settings.method}}
        with RewardClient(process.url) as client:
            client.put_run(process.run, process.settings)
        self._run = process.run
        self._worker = RewardLoopWorker(OmegaConf.create(configuration(folder, told | settings)))

    async def score(self, handed: testing.Handed) -> Sequence[float | None]:
        rows = [
            {
                "question_id": each.question_id,
                "view": each.view,
                "index": each.index,
                "step": handed.step,
                "prompt": each.prompt,
                "response": each.response,
                "ground_truth": each.ground_truth,
                "extra_info": {"evaluate": handed.evaluate},
            }
            for each in handed.rollouts
        ]
        found = await self._worker.compute_score_batch(batch_of(self._worker.input_tokenizer, rows))
        return [None if each["reward_extra_info"]["abstained"] else each["reward_score"] for each in found]

    async def close(self) -> None:
        name = f"co-rewarding/{self._run}"  # in verl it ends with the Ray job
        if name in ray.util.list_named_actors():
            actor = ray.get_actor(name)
            attempt = ray.get(actor.attempt.remote())
            ray.kill(actor)
            # An attempt is the second of its start, and no training is started again within one: this program would be.
            await asyncio.sleep(max(0.0, attempt + 1 - time.time()))


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=200 * 2**20)
    tokens = tokenizer_folder()
    testing.main(lambda process: Verl(process, tokens), unit="rollout")
