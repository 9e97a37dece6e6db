"""The laptop trainer as a peer: `python peer_trainer.py URL RUN SAMPLING_SEED STEPS` prints each step as a line."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

import torch
from co_rewarding_client import RewardClient, Rewards, Rollout
from co_rewarding_trainer.loop import LoopConfig, train
from co_rewarding_trainer.policy import load_policy
from co_rewarding_trainer.warm_start import SHIPPED

CONFIG = LoopConfig(pairs_per_step=4, evaluate_every=1000, evaluation_problems=20)


class Telling:
    """A rewarder that tells of each step."""

    def __init__(self, client: RewardClient) -> None:
        self._client = client

    def rewards(self, rollouts: Sequence[Rollout], *, step: int | None = None) -> Rewards:
        rewards = self._client.rewards(rollouts, step=step)
        voters = sorted({label.voter for label in rewards.labels})
        abstained = sum(reward is None for reward in rewards.rewards)
        print(json.dumps({"step": step, "voters": voters, "abstained": abstained, "of": len(rollouts)}), flush=True)
        return rewards


def main(url: str, run: str, sampling_seed: str, steps: str) -> None:
    torch.set_num_threads(1)
    config = replace(CONFIG, sampling_seed=int(sampling_seed), steps=int(steps))
    with RewardClient(url, run=run) as client:
        train(load_policy(SHIPPED), Telling(client), config)


if __name__ == "__main__":
    main(*sys.argv[1:])
