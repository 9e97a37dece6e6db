# pyright: basic, reportMissingImports=false
"""Make rollouts as verl's agent loop hands them to its reward workers, and what these are started with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch
from tensordict import TensorDict
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from verl import DataProto


def tokenizer_folder() -> str:
    """Write a tokenizer to which each byte is a token, so that any text comes back as it was."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    known = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(alphabet)}, merges=[]))
    known.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    known.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=known, pad_token="<pad>", eos_token="<eos>")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    folder = mkdtemp(prefix="cr-verl-")
    tokenizer.save_pretrained(folder)
    return folder


def configuration(folder: str, told: Mapping[str, Any], workers: int = 2) -> dict[str, Any]:
    """Return what verl's reward loop reads, with the adapter in it."""
    assert (Path(__file__).parents[2] / "clients" / "co_rewarding_client" / "verl.py").exists()
    return {
        "actor_rollout_ref": {"model": {"tokenizer_path": folder, "path": folder}},
        "reward": {
            "num_workers": workers,
            "reward_kwargs": dict(told),
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


def batch_of(tokenizer: Any, rows: Sequence[Mapping[str, Any]]) -> DataProto:
    """Return rows as verl's batch. A row has question_id, view, index, step and response, and what extra_info has."""
    ids = [tokenizer(row["response"] + tokenizer.eos_token)["input_ids"] for row in rows]
    width = max(map(len, ids))
    responses = torch.tensor([[*each, *[tokenizer.pad_token_id] * (width - len(each))] for each in ids])
    seen = (torch.arange(width)[None, :] < torch.tensor([len(each) for each in ids])[:, None]).long()
    prompts = torch.ones(len(rows), 4, dtype=torch.long)
    infos = [{"question_id": row["question_id"], "view": row["view"], **row.get("extra_info", {})} for row in rows]
    columns = {
        "uid": [f"{row['question_id']}/{row['view']}/{row['step']}" for row in rows],
        "extra_info": infos,
        "raw_prompt": [[{"role": "user", "content": row.get("prompt", "?")}] for row in rows],
        "reward_model": [{"ground_truth": row.get("ground_truth") or ""} for row in rows],
        "session_id": [row["index"] for row in rows],
        "global_steps": [row["step"] for row in rows],
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
