# pyright: basic, reportMissingImports=false
"""Time TRL's own reward code: 256 rollouts of a generation batch."""

import asyncio
import tempfile

from adapter_turns import GROUP_SIZE, QUESTIONS, ROLLOUTS, RUN, TURNS, WARM, service_url, turns
from co_rewarding_client.trl import CoRewarding, paired
from trl import GRPOConfig, GRPOTrainer
from trl_tiny import tiny_model, tiny_tokenizer


def made_trainer(reward: CoRewarding) -> GRPOTrainer:
    """Make a trainer that has begun, and samples nothing."""
    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        num_generations=GROUP_SIZE,
        per_device_train_batch_size=ROLLOUTS,
        shuffle_dataset=False,
        max_steps=TURNS + WARM,
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


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    trainer = made_trainer(CoRewarding(url, run=RUN))
    async for turn in turns(url):
        rows = turn.rows()
        trainer.state.global_step = turn.step
        prompts, completions = [row["prompt"] for row in rows], [row["response"] for row in rows]
        with turn.timed():
            found = trainer._calculate_rewards(rows, prompts, completions, [[0]] * ROLLOUTS)
        turn.found = found[:, 0].tolist()


if __name__ == "__main__":
    asyncio.run(main(service_url()))
