# pyright: basic, reportMissingImports=false
"""Hand rollouts to verl's own RewardLoopManager on Ray, and print what becomes of each as a JSON line.

verl_program.py URL RUN QUESTIONS GROUP_SIZE
"""

import json
import sys
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import ray
import torch
from omegaconf import OmegaConf
from tensordict import TensorDict
from tiny_model import tiny_tokenizer
from verl import DataProto
from verl.experimental.reward_loop.reward_loop import RewardLoopManager

WORKERS = 2


class Rows:
    """Rows as verl's agent loop hands them over: a question, a view, a place in the group, an answer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def batch(self, rows: list[tuple[str, str, int, int]], step: int, **info: Any) -> DataProto:
        texts = [self._tokenizer(f"\\boxed{{{answer}}} <eos>")["input_ids"] for *_, answer in rows]
        responses = torch.tensor([[*ids, *[self._tokenizer.pad_token_id] * (4 - len(ids))] for ids in texts])
        lengths = torch.tensor([len(ids) for ids in texts])
        seen = (torch.arange(4)[None, :] < lengths[:, None]).long()
        prompts = torch.ones(len(rows), 4, dtype=torch.long)
        truths = info.pop("truths", {})
        columns = {
            "uid": [f"{question}/{view}/{step}" for question, view, *_ in rows],
            "extra_info": [{"question_id": question, "view": view, **info} for question, view, *_ in rows],
            "reward_model": [{"ground_truth": truths.get(question, "")} for question, *_ in rows],
            "session_id": [index for *_, index, _ in rows],
            "global_steps": [step] * len(rows),
        }
        return DataProto(
            batch=TensorDict(
                {"prompts": prompts, "responses": responses, "attention_mask": torch.cat([prompts, seen], 1)},
                batch_size=len(rows),
            ),
            non_tensor_batch={name: _objects(values) for name, values in columns.items()},
        )


def _objects(values: list[Any]) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def answer(question: int, view: str, index: int, step: int) -> int:
    """Answers that split each group, and elect different labels on the two views of many questions."""
    return (index * index + question + (3 if view == "paraphrase" else 0) * (question % 2) + step) % 4


def manager(url: str, run: str) -> tuple[RewardLoopManager, Rows]:
    folder = mkdtemp(prefix="cr-verl-")
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(folder)
    module = Path(__file__).parents[2] / "clients" / "co_rewarding_client" / "verl.py"
    assert module.exists()
    config = {
        "actor_rollout_ref": {"model": {"tokenizer_path": folder, "path": folder}},
        "reward": {
            "num_workers": WORKERS,
            "reward_kwargs": {"url": url, "run": run, "patience_s": 60.0},
            "custom_reward_function": {"path": None, "name": "compute_score"},
            "sandbox_fusion": None,
            "reward_manager": {
                "source": "importlib",
                "name": "CoRewardManager",
                "module": {"path": "pkg://co_rewarding_client.verl", "name": "manager"},
            },
            "reward_model": {"enable": False, "enable_resource_pool": False},
        },
    }
    return RewardLoopManager(OmegaConf.create(config)), Rows(tokenizer)


def main(url: str, run: str, questions: int, group_size: int) -> None:
    ray.init(num_cpus=3, include_dashboard=False, object_store_memory=200 * 2**20)
    loop, rows = manager(url, run)

    def tell(case: str, told: list[tuple[str, str, int, int]], step: int, **info: Any) -> None:
        began = time.perf_counter()
        found = loop.compute_rm_score(rows.batch(told, step, **info))
        seconds = time.perf_counter() - began
        scores = found.batch["rm_scores"].sum(-1).tolist()
        columns = {name: found.non_tensor_batch[name].tolist() for name in found.meta_info["reward_extra_keys"]}
        for place, (question, view, index, given) in enumerate(told):
            line = {"case": case, "question": question, "view": view, "index": index, "answer": given, "step": step}
            told_row = {name: values[place] for name, values in columns.items()}
            print(json.dumps(line | {"score": scores[place]} | told_row))
        print(json.dumps({"case": case, "seconds": seconds, "rollouts": len(told)}))

    def step_of(step: int, count: int) -> list[tuple[str, str, int, int]]:
        views = ("original", "paraphrase")
        return [
            (f"q{question}", view, index, answer(question, view, index, step))
            for question in range(count)
            for view in views
            for index in range(group_size)
        ]

    tell("warm", step_of(0, 1), 0)
    whole = step_of(1, questions)
    tell("whole", whole, 1)
    tell("again", whole, 1)
    mixed = step_of(2, questions)
    np.random.default_rng(0).shuffle(mixed)
    tell("mixed", [(str(q), str(v), int(i), int(a)) for q, v, i, a in mixed], 2)
    # 7 rows for 2 workers: verl fills up with a copy of the first row.
    tell("padded", [("q0", "original", 0, 1), *step_of(3, 1)][1:] + [], 3)
    odd = [row for row in step_of(4, 1)] + [("alone", "original", index, index % 2) for index in range(group_size)]
    tell("lone", odd + [("alone2", "original", 0, 1)], 4)
    evaluated = [(f"q{question}", "original", 0, question % 3) for question in range(8)]
    tell("evaluated", evaluated, 1, split="test", truths={f"q{question}": "1" for question in range(8)})
    ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
