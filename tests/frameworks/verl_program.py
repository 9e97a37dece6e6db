# pyright: basic, reportMissingImports=false
"""Hand rollouts to verl's own RewardLoopManager, with two workers on Ray, and print each reward as a JSON line.

verl_program.py URL RUN QUESTIONS GROUP_SIZE
"""

import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from omegaconf import OmegaConf
from verl.experimental.reward_loop.reward_loop import RewardLoopManager
from verl.utils import hf_tokenizer
from verl_rows import batch_of, configuration, tokenizer_folder

VIEWS = ("original", "paraphrase")


def step_of(step: int, questions: int, group_size: int, views: Sequence[str] = VIEWS) -> list[dict[str, Any]]:
    """Rows whose answers split each group, and elect different labels on the two views of half of the questions."""
    return [
        {
            "question_id": f"q{question}",
            "view": view,
            "index": index,
            "step": step,
            "answer": (answer := str((index * index + question + step + 3 * (view != "original") * question) % 4)),
            "response": f"It is \\boxed{{{answer}}}.",
        }
        for question in range(questions)
        for view in views
        for index in range(group_size)
    ]


def main(url: str, run: str, questions: int, group_size: int) -> None:
    ray.init(num_cpus=3, include_dashboard=False, object_store_memory=200 * 2**20)
    folder = tokenizer_folder()
    manager = RewardLoopManager(OmegaConf.create(configuration(folder, {"url": url, "run": run})))
    tokenizer = hf_tokenizer(folder)

    def tell(case: str, rows: Sequence[Mapping[str, Any]]) -> None:
        batch = batch_of(tokenizer, rows)
        began = time.perf_counter()
        found = manager.compute_rm_score(batch)
        seconds = time.perf_counter() - began
        scores = found.batch["rm_scores"].sum(-1).tolist()
        told = {name: found.non_tensor_batch[name].tolist() for name in found.meta_info["reward_extra_keys"]}
        for place, row in enumerate(rows):
            extra = {name: values[place] for name, values in told.items()}
            print(json.dumps({"case": case, **row, "score": scores[place], "extra": extra}))
        print(json.dumps({"case": case, "seconds": seconds, "rollouts": len(rows)}))

    tell("first", step_of(0, 1, group_size))
    whole = step_of(1, questions, group_size)
    tell("whole", whole)
    tell("again", whole)
    mixed = step_of(2, questions, group_size)
    random.Random(0).shuffle(mixed)
    tell("mixed", mixed)
    # An odd number for two workers: verl fills up with a copy of the first row, here the lone view's.
    alone = [row | {"question_id": "alone"} for row in step_of(3, 1, 1, ("original",))]
    tell("padded", [*alone, *step_of(3, 1, group_size)])
    truths = {f"q{question}": str(question % 3) for question in range(8)}
    told = [row | {"ground_truth": truths[row["question_id"]]} for row in step_of(1, 8, 1, ("original",))]
    tell("evaluated", [row | {"extra_info": {"split": "test"}} for row in told])
    ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
