# pyright: basic, reportMissingImports=false
"""Train with verl and the rewards of the service. Needs verl[verl-core,vllm] or, with --cpu, what the page lists.

    python verl_train.py --url http://127.0.0.1:8000 --model Qwen/Qwen3-1.7B --pairs pairs.jsonl
    python verl_train.py --url http://127.0.0.1:8000 --cpu

A line of pairs.jsonl has question_id, question, paraphrase and, to validate with, ground_truth. With --cpu a model of a
few kilobytes learns to agree with itself on a toy task, in a minute or two. What follows `--` goes to verl.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WORDS = ("<pad>", "<eos>", "<unk>", *(f"\\boxed{{{answer}}}" for answer in range(4)), *"abcd")


def rows(pairs: Sequence[Mapping[str, Any]], split: str) -> Iterator[dict[str, Any]]:
    """Return verl's rows of pairs: both views to train with, the original alone to validate with."""
    views = {"original": "question", "paraphrase": "paraphrase"} if split == "train" else {"original": "question"}
    for pair in pairs:
        for view, name in views.items():
            yield {
                "data_source": "pairs",
                "prompt": [{"role": "user", "content": pair[name]}],
                "reward_model": {"style": "rule", "ground_truth": str(pair.get("ground_truth", ""))},
                "extra_info": {"question_id": str(pair["question_id"]), "view": view, "split": split},
            }


def flags(url: str, run: str, model: str, folder: Path) -> list[str]:
    """Return what the adapter needs of verl's configuration, whatever is trained."""
    return [
        f"data.train_files={folder}/train.parquet",
        f"data.val_files={folder}/test.parquet",
        "data.custom_cls.path=pkg://co_rewarding_client.verl_data",
        "data.custom_cls.name=PairDataset",
        "data.shuffle=False",
        "reward.reward_manager.source=importlib",
        "reward.reward_manager.name=CoRewardManager",
        "reward.reward_manager.module.path=pkg://co_rewarding_client.verl",
        f"+reward.reward_kwargs.url={url}",
        f"+reward.reward_kwargs.run={run}",
        "trainer.v1.trainer_mode=co_rewarding",
        "algorithm.adv_estimator=grpo",
        "trainer.logger=[console]",
        f"trainer.default_local_dir={folder}/checkpoints",
        f"hydra.run.dir={folder}/hydra",
        f"actor_rollout_ref.model.path={model}",
    ]


ON_GPU = """
data.train_batch_size=128 data.max_prompt_length=512 data.max_response_length=3072 trainer.n_gpus_per_node=8
actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=8 actor_rollout_ref.rollout.tensor_model_parallel_size=1
actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=8 actor_rollout_ref.actor.optim.lr=3e-6
actor_rollout_ref.actor.ppo_mini_batch_size=128 actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=8
actor_rollout_ref.actor.use_kl_loss=True actor_rollout_ref.actor.kl_loss_coef=0.005 trainer.test_freq=10
"""

ON_CPU = """
data.train_batch_size=8 data.max_prompt_length=8 data.max_response_length=1 data.dataloader_num_workers=0
+data.pair_epochs=4 trainer.total_epochs=1 trainer.device=cpu trainer.n_gpus_per_node=1 trainer.test_freq=4
trainer.resume_mode=disable actor_rollout_ref.model.use_remove_padding=False
+actor_rollout_ref.model.override_config.attn_implementation=eager
actor_rollout_ref.model.enable_gradient_checkpointing=False actor_rollout_ref.actor.strategy=fsdp2
actor_rollout_ref.actor.fsdp_config.model_dtype=fp32 actor_rollout_ref.actor.fsdp_config.use_torch_compile=False
+actor_rollout_ref.actor.fsdp_config.mixed_precision.param_dtype=fp32 actor_rollout_ref.actor.use_torch_compile=False
actor_rollout_ref.actor.optim.lr=0.03 actor_rollout_ref.actor.ppo_mini_batch_size=8
actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=64 actor_rollout_ref.rollout.name=slow
actor_rollout_ref.rollout.n=8 actor_rollout_ref.rollout.tensor_model_parallel_size=1
actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=64 actor_rollout_ref.rollout.agent.num_workers=1
reward.num_workers=1 transfer_queue.backend.SimpleStorage.num_data_storage_units=1
ray_kwargs.ray_init.num_cpus=8 +ray_kwargs.ray_init.num_gpus=1 +ray_kwargs.ray_init.include_dashboard=False
"""


def toy_pairs() -> list[dict[str, str]]:
    """Return eight questions, which are numbers of three letters, and the same in other letters."""
    return [
        {
            "question_id": f"toy-{number}",
            "question": " ".join("ab"[number >> place & 1] for place in (2, 1, 0)),
            "paraphrase": " ".join("cd"[number >> place & 1] for place in (2, 1, 0)),
            "ground_truth": str(number % 4),
        }
        for number in range(8)
    ]


def make_toy_model(folder: Path) -> None:
    """Write a Llama of a few kilobytes, whose words are answers and letters."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    known = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    known.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=known, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=1,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


def main() -> int:
    """Write the data, and start verl's own program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=os.environ.get("CO_REWARDING_URL", "http://127.0.0.1:8000"))
    parser.add_argument("--run", default="verl")
    parser.add_argument("--model", help="a model of Hugging Face, or a folder")
    parser.add_argument("--pairs", type=Path, help="a file of pairs")
    parser.add_argument("--folder", type=Path, default=Path("runs/verl"), help="for data and checkpoints")
    parser.add_argument("--cpu", action="store_true", help="the toy task on the CPU")
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    told, more = parser.parse_args(words[:cut]), words[cut + 1 :]
    if not told.cpu and not (told.model and told.pairs):
        parser.error("give --model and --pairs, or --cpu")

    import pandas

    folder = told.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    pairs = toy_pairs() if told.cpu else [json.loads(line) for line in told.pairs.read_text().splitlines()]
    for split in ("train", "test"):
        pandas.DataFrame(list(rows(pairs, split))).to_parquet(folder / f"{split}.parquet")
    environment = os.environ | {"VERL_USE_EXTERNAL_MODULES": "co_rewarding_client.verl_trainer"}
    if told.cpu:
        make_toy_model(folder / "model")
        environment |= {
            "VERL_PLATFORM": "cpu",
            "VERL_ENGINE_DEVICE": "cuda",
            "VERL_USE_EXTERNAL_MODULES": "verl_on_cpu,co_rewarding_client.verl_trainer",
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
            "OMP_NUM_THREADS": "1",
        }
    model = str(folder / "model") if told.cpu else told.model
    command = [sys.executable, "-m", "verl.trainer.main_ppo", *flags(told.url, told.run, model, folder)]
    return subprocess.call([*command, *(ON_CPU if told.cpu else ON_GPU).split(), *more], env=environment)


if __name__ == "__main__":
    sys.exit(main())
