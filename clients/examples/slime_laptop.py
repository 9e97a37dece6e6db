# pyright: basic, reportMissingImports=false
"""Train the laptop task with slime's or miles' own rollout side, on a CPU.

    python clients/examples/slime_laptop.py --url http://127.0.0.1:8000 --trainer slime --steps 40

Theirs are the flags, the data source, generation over HTTP, the groups, reward functions and evaluation, normalisation
of rewards, the training data and the loss; this file has what needs GPUs: a router that samples from a tiny policy in
place of SGLang, and one optimizer step in place of Megatron. The policy is the one of `co-rewarding demo`.
"""

import argparse
import asyncio
import importlib
import json
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import slime_source
import torch
import yaml
from aiohttp import web
from co_rewarding_client import slime_data
from co_rewarding_trainer.chains import CHAINS
from co_rewarding_trainer.policy import PAD_ID, Policy, load_policy
from co_rewarding_trainer.sampling import response_logprobs, sample
from co_rewarding_trainer.task import VIEWS, TaskProblem, draw_problems
from co_rewarding_trainer.warm_start import SHIPPED

GROUP_SIZE = 8
WARMUP_STEPS = 10
EVALUATION_PROBLEMS = 200
OF_SGLANG = {
    "sglang_server_concurrency": 512,
    "sglang_dp_size": 1,
    "sglang_router_policy": None,
    "sglang_speculative_algorithm": None,
    "sglang_enable_deterministic_inference": False,
    "rollout_num_engines": 1,
}
NOT_PARSED = {
    "debug_rollout_only": False,
    "debug_train_only": False,
    "load_debug_rollout_data": None,
    "train_backend": "megatron",
}
ONE_RANK = {"dp_size": 1, "cp_size": 1, "vpp_size": 1, "microbatch_group_size_per_vp_stage": 1}


@dataclass
class Router:
    """Answers /generate as SGLang's router does: it samples from the policy for all requests that wait, at once."""

    policy: Policy
    port: int = 0
    _waiting: list[tuple[list[int], float, asyncio.Future[dict[str, Any]]]] = field(default_factory=list)
    _generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))

    def start(self) -> None:
        """Serve in a thread, from a port that is then known."""
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True).start()
        ready.wait()

    async def _serve(self, ready: threading.Event) -> None:
        app = web.Application()
        app.add_routes([web.post("/generate", self._generate), web.get("/workers", self._workers)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        ready.set()
        await asyncio.Event().wait()

    async def _workers(self, _: web.Request) -> web.Response:
        return web.json_response({"workers": [], "urls": []})

    async def _generate(self, request: web.Request) -> web.Response:
        asked = await request.json()
        answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            asyncio.get_running_loop().call_later(0.02, self._sample)
        self._waiting.append((asked["input_ids"], asked["sampling_params"]["temperature"], answered))
        return web.json_response(await answered)

    def _sample(self) -> None:
        waiting, self._waiting = self._waiting, []
        prompts = [str(self.policy.tokenizer.decode(tokens)) for tokens, _, _ in waiting]
        drawn = sample(self.policy, prompts, 1, waiting[0][1], self._generator, CHAINS.max_new_tokens)
        lengths = drawn.mask_BT.sum(dim=1).int().tolist()
        responses_BT = drawn.tokens_BL[:, -drawn.mask_BT.shape[1] :]
        for place, (tokens, _, answered) in enumerate(waiting):
            length = lengths[place]
            pairs = zip(drawn.logprobs_BT[place, :length].tolist(), responses_BT[place, :length].tolist(), strict=True)
            meta = {
                "output_token_logprobs": [[logprob, token, None] for logprob, token in pairs],
                "finish_reason": {"type": "stop"},
                "prompt_tokens": len(tokens),
                "completion_tokens": length,
                "cached_tokens": 0,
            }
            answered.set_result({"text": drawn.texts[place], "meta_info": meta})


def write_data(folder: Path, pairs: int) -> None:
    """Write the questions of the laptop task as training and evaluation sets of the trainer."""

    def question(problem: TaskProblem, original: str, paraphrase: str) -> dict[str, str]:
        texts = {"question": original, "paraphrase": paraphrase, "ground_truth": problem.answer}
        return {"question_id": problem.key} | texts

    drawn = draw_problems(CHAINS, pairs, "slime")
    held_out = draw_problems(CHAINS, EVALUATION_PROBLEMS, "evaluation", held_out=True)
    for name, problems, evaluate in (("train", drawn, False), ("evaluation", held_out, True)):
        asked = [question(each, *(each.prompt(view) for view in VIEWS)) for each in problems]
        made = slime_data.rows(asked, 1 if evaluate else GROUP_SIZE, evaluate=evaluate)
        slime_data.write(made, folder / f"{name}.jsonl")


def trainer_args(trainer: str, given: argparse.Namespace, router_port: int) -> argparse.Namespace:
    """Return what the trainer's own parser and checks make of the flags that a user gives."""
    settings = {"url": given.url, "run": given.run, "settings": {"method": given.method}}
    (given.folder / "co_rewarding.yaml").write_text(yaml.safe_dump({"co_rewarding": settings}))
    no_engine = [{"name": "default", "server_groups": [{"worker_type": "placeholder", "num_gpus": 1}]}]
    (given.folder / "sglang.yaml").write_text(yaml.safe_dump({"sglang": no_engine}))
    flags = f"""
        --custom-config-path {given.folder}/co_rewarding.yaml
        --group-rm --custom-rm-path co_rewarding_client.slime.reward
        --eval-function-path co_rewarding_client.slime.evaluate
        --custom-rollout-log-function-path co_rewarding_client.slime.log_rollout
        --prompt-data {given.folder}/train.jsonl --input-key prompt --label-key label
        --eval-prompt-data heldout {given.folder}/evaluation.jsonl --n-samples-per-eval-prompt 1 --eval-interval 20
        --eval-temperature 0.8
        --hf-checkpoint {SHIPPED} --num-rollout {given.steps} --rollout-batch-size {given.batch_size}
        --n-samples-per-prompt {GROUP_SIZE} --global-batch-size {given.batch_size * GROUP_SIZE}
        --rollout-max-response-len {CHAINS.max_new_tokens} --rollout-temperature 1.0
        --rollout-num-gpus 1 --rollout-num-gpus-per-engine 1
        --custom-eval-rollout-log-function-path slime_laptop.print_evaluation
    """
    arguments = importlib.import_module(f"{trainer}.utils.arguments")
    parser = argparse.ArgumentParser()
    getattr(arguments, f"get_{trainer}_extra_args_provider")()(parser)
    args = parser.parse_args(flags.split())
    router = {"sglang_router_ip": "127.0.0.1", "sglang_router_port": router_port}
    vars(args).update(OF_SGLANG | NOT_PARSED | router | {"sglang_config": str(given.folder / "sglang.yaml")})
    getattr(arguments, f"{trainer}_validate_args")(args)
    return args


def print_evaluation(rollout_id: int, args: argparse.Namespace, data: dict[str, Any], metrics: object) -> bool:
    """Print the accuracy on held-out problems as a line of JSON, in place of the trainer's own log."""
    for name, result in data.items():
        rewards = result["rewards"]
        print(
            json.dumps({"evaluated": name, "rollout_id": rollout_id, "accuracy": sum(rewards) / len(rewards)}),
            flush=True,
        )
    return True


def optimizer_step(trainer: str, policy: Policy, optimizer: torch.optim.Optimizer, data: dict[str, Any]) -> float:
    """Make one step on what the trainer would send to Megatron, with the trainer's own returns and loss."""
    losses = importlib.import_module(f"{trainer}.utils.ppo_utils")
    length = max(data["response_lengths"])
    widest = max(len(tokens) - len(mask) for tokens, mask in zip(data["tokens"], data["loss_masks"], strict=True))
    tokens_BL, masks_BT, old_BT = [], [], []
    for tokens, mask, logprobs in zip(data["tokens"], data["loss_masks"], data["rollout_log_probs"], strict=True):
        before, missing = widest - (len(tokens) - len(mask)), length - len(mask)
        tokens_BL.append(torch.nn.functional.pad(torch.as_tensor(tokens), (before, missing), value=PAD_ID))
        masks_BT.append(torch.nn.functional.pad(torch.as_tensor(mask), (0, missing)))
        old_BT.append(torch.nn.functional.pad(torch.as_tensor(logprobs), (0, missing)))
    mask_BT, before_BT = torch.stack(masks_BT), torch.stack(old_BT)
    returns = losses.get_grpo_returns(torch.tensor(data["rewards"]), list(torch.zeros_like(before_BT)))
    now_BT = response_logprobs(policy, torch.stack(tokens_BL), length)
    loss_BT, _ = losses.compute_policy_loss(before_BT - now_BT, torch.stack(returns), 0.2, 0.2)
    loss = (loss_BT * mask_BT).sum() / mask_BT.sum().clamp(min=1)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(policy.model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def train(given: argparse.Namespace) -> None:
    """Train as the trainer's train.py does: evaluate, generate, make a step, and again."""
    torch.set_num_threads(1)
    torch._dynamo.config.disable = True  # the losses are compiled for GPUs
    slime_source.load(given.trainer, given.folder)
    policy = load_policy(SHIPPED)
    router = Router(policy)
    router.start()
    write_data(given.folder, pairs=given.batch_size * given.steps // 2)
    args = trainer_args(given.trainer, given, router.port)
    manager = importlib.import_module(f"{given.trainer}.ray.rollout").RolloutManager(args, None)
    logging.getLogger().setLevel(logging.WARNING)
    manager.set_train_parallel_config(ONE_RANK)
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=given.learning_rate, weight_decay=0.0)
    manager.eval(0)
    for rollout_id in range(args.num_rollout):
        for group in optimizer.param_groups:
            group["lr"] = given.learning_rate * min(1.0, (rollout_id + 1) / WARMUP_STEPS)
        (box,) = manager.generate(rollout_id)
        loss = optimizer_step(given.trainer, policy, optimizer, box.inner)
        rewards = box.inner["raw_reward"]
        print(json.dumps({"rollout_id": rollout_id, "reward": sum(rewards) / len(rewards), "loss": loss}), flush=True)
        if (rollout_id + 1) % args.eval_interval == 0:
            manager.eval(rollout_id)


def main() -> None:
    """Read the flags and train."""
    parser = argparse.ArgumentParser(description="Train the laptop task with the rollout side of slime or miles.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--run", default="slime-laptop")
    parser.add_argument("--method", default="co-rewarding-i")
    parser.add_argument("--trainer", choices=("slime", "miles"), default="slime")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument(
        "--batch-size", type=int, default=32, help="prompts a step: both views of half as many questions"
    )
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    parser.add_argument("--folder", type=Path, default=Path("runs/slime"), help="for the data set and downloads")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    train(given)


if __name__ == "__main__":
    main()
