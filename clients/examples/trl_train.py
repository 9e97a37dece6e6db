# pyright: basic, reportMissingImports=false
"""Train a tiny language model by TRL's GRPOTrainer, with rewards of a running service and without labels.

    co-rewarding serve                                        # in another terminal
    python clients/examples/trl_train.py --url http://127.0.0.1:8000

The model computes chains of + - * (docs/demo.md). A model and questions of your own take the places of `load_policy`
and `questions`; what belongs to the reward service is in `train`.
"""

import argparse
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

from co_rewarding_client.foreign import Foreign
from co_rewarding_client.trl import CoRewarding, paired
from co_rewarding_trainer.chains import CHAINS
from co_rewarding_trainer.policy import load_policy
from co_rewarding_trainer.task import draw_problems
from datasets import Dataset
from transformers import PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

PAIRS_PER_STEP = 16
GROUP_SIZE = 8
HELD_OUT = 256


class BoxTokenizer(PreTrainedTokenizerFast):
    """Decodes the end token too: in this task it is the brace that closes the box, and TRL leaves it out."""

    def batch_decode(self, sequences: Foreign, **options: Foreign) -> list[str]:
        """Decode with the end token."""
        return super().batch_decode(sequences, **options | {"skip_special_tokens": False})


def questions(count: int) -> Iterator[dict[str, str]]:
    """Make questions in two wordings. The ground truths are for the log alone."""
    for problem in draw_problems(CHAINS, count, "trl"):
        yield {
            "question_id": problem.key,
            "question": problem.prompt("original"),
            "paraphrase": problem.prompt("paraphrase"),
            "ground_truth": problem.answer,
        }


def held_out() -> Dataset:
    """Make the questions of the evaluation, which the service compares with their ground truths."""
    problems = draw_problems(CHAINS, HELD_OUT, "trl", held_out=True)
    return Dataset.from_list(
        [{"prompt": problem.prompt("original"), "ground_truth": problem.answer} for problem in problems]
    )


def train(url: str, run: str, method: str, steps: int, output: Path) -> list[dict[str, float]]:
    """Train for some steps, and return what TRL has logged."""
    checkpoint = Path(str(files("co_rewarding_trainer") / "checkpoint"))
    reward = CoRewarding(url, run=run, method=method)
    config = GRPOConfig(
        output_dir=str(output),
        max_steps=steps,
        num_generations=GROUP_SIZE,
        per_device_train_batch_size=2 * PAIRS_PER_STEP * GROUP_SIZE,
        shuffle_dataset=False,  # paired() has shuffled, and keeps the views of a question together
        max_completion_length=CHAINS.max_new_tokens,
        learning_rate=4e-4,
        warmup_steps=5,
        lr_scheduler_type="constant_with_warmup",
        eval_strategy="steps",
        eval_steps=max(1, steps // 4),
        eval_on_start=True,
        num_generations_eval=1,
        per_device_eval_batch_size=HELD_OUT,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        bf16=False,
    )
    trainer = GRPOTrainer(
        model=load_policy(checkpoint).model,
        reward_funcs=reward,
        callbacks=[reward],
        args=config,
        train_dataset=paired(questions(PAIRS_PER_STEP * steps)),
        eval_dataset=held_out(),
        processing_class=BoxTokenizer.from_pretrained(checkpoint),
    )
    trainer.train()
    return trainer.state.log_history


def main() -> None:
    """Read the arguments, train, and print how accurate the model and the labels were."""
    words = argparse.ArgumentParser(description="Train a tiny language model by TRL, without labels.")
    words.add_argument("--url", default="http://127.0.0.1:8000", help="where co-rewarding serve listens")
    words.add_argument("--run", default=f"trl-{uuid4().hex[:6]}")
    words.add_argument("--method", default="co-rewarding-i")
    words.add_argument("--steps", type=int, default=60)
    words.add_argument("--output", type=Path, default=Path("runs/trl"))
    given = words.parse_args()
    history = train(given.url, given.run, given.method, given.steps, given.output)
    for entry in history:
        if "eval_reward" in entry:
            print(f"step {entry['step']:3}: {entry['eval_reward']:.2f} of the held-out questions are right")
    trained = [entry for entry in history if "reward" in entry]
    for name in ("reward", "co_rewarding/label_accuracy", "co_rewarding/vote_share_mean", "co_rewarding/abstained"):
        print(f"{name}: {trained[0][name]:.2f} at the first step, {trained[-1][name]:.2f} at the last")


if __name__ == "__main__":
    main()
