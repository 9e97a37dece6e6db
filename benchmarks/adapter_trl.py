# pyright: basic, reportMissingImports=false
"""Reward steps of 256 rollouts by TRL's own code, and by the bare call, in turns: `adapter_trl.py URL`."""

import json
import sys
import tempfile
import time

from adapter_steps import ROLLOUTS, TURNS, rollouts_of, step
from co_rewarding_client import RewardClient, RunSettings
from co_rewarding_client.trl import CoRewarding, paired
from trl import GRPOConfig, GRPOTrainer
from trl_tiny import tiny_model, tiny_tokenizer

GROUP_SIZE = 8
QUESTIONS = ROLLOUTS // (2 * GROUP_SIZE)


def made_trainer(reward: CoRewarding) -> GRPOTrainer:
    """Make a trainer that has begun, and samples nothing."""
    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        num_generations=GROUP_SIZE,
        per_device_train_batch_size=ROLLOUTS,
        shuffle_dataset=False,
        max_steps=TURNS,
        report_to=[],
        use_cpu=True,
        bf16=False,
    )
    asked = [{"question_id": f"q{number}", "question": "w0", "paraphrase": "w1"} for number in range(QUESTIONS)]
    trainer = GRPOTrainer(
        model=tiny_model(),
        reward_funcs=reward,
        callbacks=[reward],
        args=config,
        train_dataset=paired(asked),
        processing_class=tiny_tokenizer(),
    )
    reward.on_train_begin(config, trainer.state, None, model=trainer.model)
    trainer.model.train()
    return trainer


def main() -> None:
    """Print the seconds of each turn."""
    url = sys.argv[1]
    trainer = made_trainer(CoRewarding(url, run="adapter"))
    client = RewardClient(url, run="bare")
    client.put_run("bare", RunSettings(group_size=GROUP_SIZE))
    for turn in range(TURNS):
        rows = step(turn, GROUP_SIZE)
        rollouts = rollouts_of(rows, GROUP_SIZE)
        began_s = time.perf_counter()
        expected = client.rewards(rollouts, step=turn)
        bare_s = time.perf_counter() - began_s
        trainer.state.global_step = turn
        prompts, completions = [row["prompt"] for row in rows], [row["response"] for row in rows]
        began_s = time.perf_counter()
        found = trainer._calculate_rewards(rows, prompts, completions, [[0]] * ROLLOUTS)
        adapter_s = time.perf_counter() - began_s
        assert found[:, 0].tolist() == list(expected.rewards)
        print(json.dumps({"bare_s": bare_s, "adapter_s": adapter_s}), flush=True)


if __name__ == "__main__":
    main()
