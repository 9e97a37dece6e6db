# pyright: basic, reportMissingImports=false
"""Time verl's own reward worker: a batch of 256 rollouts, a call each."""

import asyncio

import ray
from adapter_turns import RUN, service_url, turns
from omegaconf import OmegaConf
from verl.experimental.reward_loop.reward_loop import RewardLoopWorker
from verl_rows import batch_of, configuration, tokenizer_folder


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    told = {"url": url, "run": RUN}
    worker = RewardLoopWorker(OmegaConf.create(configuration(tokenizer_folder(), told)))
    async for turn in turns(url):
        rows = [
            row | {"index": one.index, "step": turn.step} for row, one in zip(turn.rows(), turn.rollouts, strict=True)
        ]
        batch = batch_of(worker.input_tokenizer, rows)
        with turn.timed():
            found = await worker.compute_score_batch(batch)
        turn.found = [each["reward_score"] for each in found]


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=200 * 2**20)
    asyncio.run(main(service_url()))
