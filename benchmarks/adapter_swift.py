# pyright: basic, reportMissingImports=false
"""Reward steps of 256 rollouts by ms-swift's own code, and by the bare call, in turns: `adapter_swift.py URL`."""

import asyncio
import json
import sys
import time

from accelerate import Accelerator
from adapter_steps import TURNS, rollouts_of, step
from co_rewarding_client import RewardClient, RunSettings, testing
from co_rewarding_client.testing.sampling import GROUP_SIZE
from swift_conformance import InSwift


def main() -> None:
    """Print the seconds of each turn."""
    url = sys.argv[1]
    Accelerator(cpu=True)
    settings = RunSettings(group_size=GROUP_SIZE)
    process = testing.Process(url=url, run="adapter", settings=settings, patience_s=60.0, began_s=int(time.time()))
    adapter = InSwift(process)
    client = RewardClient(url, run="bare")
    client.put_run("bare", settings)
    for turn in range(TURNS):
        rows = step(turn, GROUP_SIZE)
        rollouts = rollouts_of(rows, GROUP_SIZE)
        began_s = time.perf_counter()
        expected = client.rewards(rollouts, step=turn)
        bare_s = time.perf_counter() - began_s
        sampled = tuple(testing.Sampled(index=0, answer=None, ground_truth=None, **row) for row in rows)
        began_s = time.perf_counter()
        found = asyncio.run(adapter.score(testing.Handed(rollouts=sampled, step=turn)))
        adapter_s = time.perf_counter() - began_s
        assert found == list(expected.rewards)
        print(json.dumps({"bare_s": bare_s, "adapter_s": adapter_s}), flush=True)


if __name__ == "__main__":
    main()
