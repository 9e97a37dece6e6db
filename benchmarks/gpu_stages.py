"""Measure what a GPU does for the project: each stage returns its figures by name."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ALPHA = 0.99
GROUP = 8


@dataclass(frozen=True)
class Size:
    """How large everything is. `copied_bytes` are moved in each of `rounds` copies; a model has `layers` of `width`."""

    copied_bytes: int
    rounds: int
    vocabulary: int
    width: int
    layers: int
    questions: int
    response_tokens: int
    steps: int
    pairs_per_step: int


SIZES: Mapping[str, Size] = {
    "small": Size(4 << 20, 2, 512, 64, 2, 2, 8, 2, 2),
    "full": Size(1 << 30, 5, 32_000, 768, 12, 64, 256, 10, 16),  # about 110 M parameters in bfloat16
}


def timed(device: torch.device, do: Callable[[], object], rounds: int) -> float:
    """Return the median seconds of a few rounds, after one that is not counted; what the device does is waited for."""

    def once() -> float:
        _wait(device)
        began_s = time.perf_counter()
        do()
        _wait(device)
        return time.perf_counter() - began_s

    once()
    return statistics.median(once() for _ in range(rounds))


def bus(device: torch.device, size: Size) -> dict[str, Any]:
    """Measure copies between host and device, and within the device; both of what is read and written is counted."""
    there = torch.empty(size.copied_bytes, dtype=torch.uint8, device=device)
    other = torch.empty_like(there)
    hosts = {"pageable": torch.empty(size.copied_bytes, dtype=torch.uint8)}
    if device.type == "cuda":
        hosts["pinned"] = torch.empty(size.copied_bytes, dtype=torch.uint8, pin_memory=True)
    rates: dict[str, Any] = {}
    for kind, host in hosts.items():
        host.zero_()
        for name, target, source in ((f"{kind}_to_device", there, host), (f"{kind}_to_host", host, there)):
            seconds = timed(device, lambda target=target, source=source: _copied(target, source), size.rounds)
            rates[f"{name}_gb_s"] = size.copied_bytes / seconds / 1e9
    seconds = timed(device, lambda: other.copy_(there), size.rounds)
    return rates | {"within_device_gb_s": 2 * size.copied_bytes / seconds / 1e9}


def teacher(device: torch.device, size: Size) -> dict[str, Any]:
    """Answer questions by the backend that a teacher uses, and give it new weights."""
    from reward_service.generation.generator import Sampling, question_prompt
    from reward_service.generation.transformers_backend import TransformersGenerator

    async def measured(folder: Path) -> dict[str, Any]:
        began_s = time.perf_counter()
        generator = await TransformersGenerator.open(str(folder / "base"), capacity=size.questions)
        opened_s = time.perf_counter() - began_s
        prompts = [question_prompt(" ".join(f"w{(7 * n + k) % 400}" for k in range(40))) for n in range(size.questions)]

        async def answered(seed: int) -> tuple[float, list[tuple[str, ...]], int]:
            began_s = time.perf_counter()
            sampling = [
                Sampling(n=GROUP, temperature=1.0, max_tokens=size.response_tokens, seed=seed + n)
                for n in range(size.questions)
            ]
            answers = await asyncio.gather(*map(generator.generate, prompts, sampling))
            _wait(device)
            took_s = time.perf_counter() - began_s
            return took_s, [answer.texts_n for answer in answers], sum(answer.tokens for answer in answers)

        try:
            await answered(1)
            took_s, texts, tokens = await answered(2)
            _, again, _ = await answered(2)
            began_s = time.perf_counter()
            await generator.load(folder / "policy")
            _wait(device)
            loaded_s = time.perf_counter() - began_s
            _, under_others, _ = await answered(2)
        finally:
            await generator.close()
        weights_bytes = (folder / "policy" / "model.safetensors").stat().st_size
        return {
            "opened_s": opened_s,
            "labels_per_s": size.questions / took_s,
            "responses_per_s": size.questions * GROUP / took_s,
            "tokens_per_s": tokens / took_s,
            "same_seed_same_texts": texts == again,
            "other_weights_other_texts": texts != under_others,
            "new_weights_s": loaded_s,
            "new_weights_gb_s": weights_bytes / loaded_s / 1e9,
        }

    with tempfile.TemporaryDirectory(prefix="gpu-check-") as name:
        folder = Path(name)
        parameters, _ = (write_model(folder / which, size, seed) for seed, which in enumerate(("base", "policy")))
        return {"parameters": parameters, **asyncio.run(measured(folder))}


def average(device: torch.device, size: Size) -> dict[str, Any]:
    """Average weights: those of a folder as the service does, and those of a device through pinned buffers."""
    figures = _average_of_device(device, size)
    if not _has("numba"):
        return figures | {"folder": "not measured: numba is not installed"}
    from reward_service.teaching.average import Average

    with tempfile.TemporaryDirectory(prefix="gpu-check-") as name:
        folder = Path(name)
        parameters, _ = (write_model(folder / which, size, seed) for seed, which in enumerate(("base", "policy")))
        with Average.open(folder / "average", folder / "base") as kept:
            took_s = []
            for step in range(1, size.rounds + 2):
                began_s = time.perf_counter()
                kept.update(step, folder / "policy", ALPHA)
                took_s.append(time.perf_counter() - began_s)
        return figures | {"folder_update_s": statistics.median(took_s[1:]), "folder_parameters": parameters}


def _average_of_device(device: torch.device, size: Size) -> dict[str, Any]:
    """Copy bfloat16 weights from the device in pieces, and average each while the next one is on its way."""
    pieces, piece = 8, size.copied_bytes // 16
    policy = torch.randn(pieces * piece, device=device).to(torch.bfloat16).view(pieces, piece)
    averages = {way: torch.zeros(pieces, piece) for way in ("in_turn", "overlapped")}
    on_gpu = device.type == "cuda"
    buffers = [torch.empty(piece, dtype=torch.bfloat16, pin_memory=on_gpu) for _ in range(2)]
    stream = torch.cuda.Stream(device) if on_gpu else None

    def sent(place: int) -> Any:  # noqa: ANN401 - an event of CUDA
        buffer = buffers[place % 2]
        if stream is None:
            buffer.copy_(policy[place])
            return None
        with torch.cuda.stream(stream):
            buffer.copy_(policy[place], non_blocking=True)
            return stream.record_event()

    def taken(average_P: Tensor, place: int, event: Any) -> None:  # noqa: ANN401
        if event is not None:
            event.synchronize()
        average_P[place].lerp_(buffers[place % 2].float(), 1 - ALPHA)

    def in_turn() -> None:
        for place in range(pieces):
            taken(averages["in_turn"], place, sent(place))

    def overlapped() -> None:
        coming = sent(0)
        for place in range(pieces):
            event, coming = coming, sent(place + 1) if place + 1 < pieces else None
            taken(averages["overlapped"], place, event)

    copied_bytes = 2 * policy.numel()
    seconds = {"in_turn": timed(device, in_turn, size.rounds), "overlapped": timed(device, overlapped, size.rounds)}
    return {f"device_{way}_gb_s": copied_bytes / took_s / 1e9 for way, took_s in seconds.items()} | {
        "device_ways_agree": torch.equal(averages["in_turn"], averages["overlapped"])
    }


def trainer(device: torch.device, size: Size) -> dict[str, Any]:
    """Train a few steps: rollouts of the policy, labels by the vote of the other view, one step of the optimizer."""
    from co_rewarding_trainer.chains import CHAINS
    from co_rewarding_trainer.grpo import group_advantages, update
    from co_rewarding_trainer.policy import Policy, build_tokenizer
    from co_rewarding_trainer.sampling import sample
    from co_rewarding_trainer.task import VIEWS, boxed_answer, draw_pairs

    tokenizer = build_tokenizer(CHAINS)
    torch.manual_seed(0)
    model = LlamaForCausalLM(config_of(size, len(tokenizer)))
    torch.nn.Module.to(model, device)
    policy = Policy(model, tokenizer)
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=1e-4, weight_decay=0.0)
    generator = torch.Generator(device).manual_seed(0)
    took_s: list[dict[str, float]] = []
    losses: list[float] = []
    for step in range(size.steps + 1):
        asked_P = [
            pair.asked(view) for view in VIEWS for pair in draw_pairs(CHAINS, size.pairs_per_step, f"check {step}")
        ]
        prompts_P = [asked.prompt for asked in asked_P]
        began_s = time.perf_counter()
        rollouts = sample(policy, prompts_P, GROUP, 1.0, generator, CHAINS.max_new_tokens)
        _wait(device)
        sampled_s = time.perf_counter()
        rewards_B = voted([boxed_answer(text) for text in rollouts.texts], len(asked_P) // 2)
        voted_s = time.perf_counter()
        losses.append(update(policy, optimizer, rollouts, group_advantages(rewards_B, GROUP)))
        _wait(device)
        learnt_s = time.perf_counter()
        took_s.append({"sample_s": sampled_s - began_s, "vote_s": voted_s - sampled_s, "learn_s": learnt_s - voted_s})
    medians = {name: statistics.median(each[name] for each in took_s[1:]) for name in took_s[0]}
    rollouts_count = 2 * size.pairs_per_step * GROUP
    return {
        "parameters": sum(parameter.numel() for parameter in policy.model.parameters()),
        **medians,
        "rollouts_per_s": rollouts_count / sum(medians.values()),
        "losses_are_finite": all(loss == loss and abs(loss) != float("inf") for loss in losses),
    }


def voted(answers_B: Sequence[str | None], pairs: int) -> list[float | None]:
    """Return rewards under co-rewarding-i; the groups of one view stand before those of the other."""
    from co_rewarding_schema.methods import method_named
    from co_rewarding_schema.vocabulary import View, Voter

    from reward_service.domain.cohort import Ballot
    from reward_service.domain.settlement import settle

    rewards_B: list[float | None] = [None] * len(answers_B)
    for pair in range(pairs):
        places = [
            (view, (number * pairs + pair) * GROUP + index)
            for number, view in enumerate(View)
            for index in range(GROUP)
        ]
        ballots = [
            Ballot(view, Voter.POLICY, place % GROUP, answers_B[place], answers_B[place]) for view, place in places
        ]
        settled = settle(method_named("co-rewarding-i"), ballots)
        for (_, place), reward in zip(places, settled.rewards_B, strict=True):
            rewards_B[place] = reward
    return rewards_B


def config_of(size: Size, vocabulary: int) -> LlamaConfig:
    """Return a Llama of the size."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=size.width,
        intermediate_size=3 * size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=max(2, size.width // 64),
        max_position_embeddings=2048,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )


def write_model(folder: Path, size: Size, seed: int) -> int:
    """Write a model of random weights in bfloat16 with a tokenizer of words; return how many parameters it has."""
    words = {"<pad>": 0, "</s>": 1, "<unk>": 2} | {f"w{number}": number + 3 for number in range(size.vocabulary - 3)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config_of(size, size.vocabulary))
    torch.nn.Module.to(model, torch.bfloat16)
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def _copied(target: Tensor, source: Tensor) -> None:
    target.copy_(source, non_blocking=True)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _has(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


STAGES: Mapping[str, Callable[[torch.device, Size], dict[str, Any]]] = {
    "bus": bus, "teacher": teacher, "average": average, "trainer": trainer,
}  # fmt: skip
