"""The policy is a real Hugging Face model, and what it says of its own samples is what it says of any text."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the laptop trainer needs torch: pip install 'co-rewarding[local]'")
transformers = pytest.importorskip(
    "transformers", reason="the laptop trainer needs transformers: pip install 'co-rewarding[local]'"
)

from co_rewarding_trainer.loop import LoopConfig, evaluate  # noqa: E402
from co_rewarding_trainer.policy import (  # noqa: E402  # noqa: E402
    BOX,
    END,
    END_ID,
    PAD,
    UNKNOWN,
    WORDS,
    Policy,
    build_tokenizer,
    load_policy,
    response_logprobs,
    sample,
)
from co_rewarding_trainer.task import draw_problems  # noqa: E402
from co_rewarding_trainer.warm_start import SHIPPED, WarmStartConfig, taught_response  # noqa: E402

PROMPTS = [problem.prompt("original") for problem in draw_problems(6, "prompts")]


@pytest.fixture(scope="module")
def policy() -> Policy:
    torch.set_num_threads(1)
    return load_policy(SHIPPED)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.lists(st.sampled_from([word for word in WORDS if word not in {PAD, UNKNOWN, BOX, END}])), st.integers(0, 9))
def test_the_tokenizer_gives_the_text_back(words: list[str], answer: int) -> None:
    tokenizer = build_tokenizer()
    text = " ".join([*words, f"\\boxed{{{answer}}}"])
    tokens = tokenizer(text)["input_ids"]
    assert tokenizer.decode(tokens) == text
    assert tokens[-1] == END_ID == tokenizer.eos_token_id
    assert len(tokens) == len(words) + 3


@pytest.mark.parametrize("temperature", [1.0, 0.8])
def test_sampled_logprobs_are_the_models_own(policy: Policy, temperature: float) -> None:
    rollouts = sample(policy, PROMPTS, 4, temperature, seeded())
    with torch.no_grad():
        forward_BT = response_logprobs(policy.model, rollouts.tokens_BL, rollouts.mask_BT.shape[1], temperature)
    torch.testing.assert_close(rollouts.logprobs_BT, forward_BT * rollouts.mask_BT, rtol=1e-4, atol=1e-4)


def test_a_group_stands_together_behind_its_own_prompt(policy: Policy) -> None:
    rollouts = sample(policy, PROMPTS, 3, 1.0, seeded())
    width = rollouts.tokens_BL.shape[1] - rollouts.mask_BT.shape[1]
    told = [policy.tokenizer.decode(tokens[:width]) for tokens in rollouts.tokens_BL.tolist()]
    assert told == [prompt for prompt in PROMPTS for _ in range(3)]


def test_a_response_stops_at_its_end_token(policy: Policy) -> None:
    rollouts = sample(policy, PROMPTS, 16, 1.5, seeded())
    for text, mask_T in zip(rollouts.texts, rollouts.mask_BT.tolist(), strict=True):
        assert mask_T == sorted(mask_T, reverse=True)
        assert END not in text[:-1]
        assert PAD not in text or text.count(PAD) < sum(mask_T)


def test_the_same_seed_samples_the_same(policy: Policy) -> None:
    first, again, other = (sample(policy, PROMPTS, 4, 1.0, seeded(seed)).texts for seed in (0, 0, 1))
    assert first == again != other


def test_the_shipped_checkpoint_is_small_and_half_right(policy: Policy) -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 1_000_000
    assert evaluate(policy, LoopConfig()) == pytest.approx(0.55, abs=0.05)


def test_any_hugging_face_code_loads_the_shipped_checkpoint(policy: Policy) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(SHIPPED)
    tokenizer = transformers.AutoTokenizer.from_pretrained(SHIPPED)
    prompt = tokenizer(PROMPTS[0], return_tensors="pt")["input_ids"]
    response_T = model.generate(prompt, do_sample=False, max_new_tokens=12)[0, prompt.shape[1] :]
    assert tokenizer.decode(response_T)[-10:-2] == " \\boxed{"
    assert tokenizer.decode(response_T) in sample(policy, PROMPTS[:1], 64, 0.3, seeded()).texts


def test_a_saved_policy_is_the_same_policy(policy: Policy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    again = load_policy(tmp_path)
    assert sample(again, PROMPTS, 2, 1.0, seeded()).texts == sample(policy, PROMPTS, 2, 1.0, seeded()).texts
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o044 == 0o044


def test_worked_examples_without_mistakes_are_right() -> None:
    import random

    flawless = WarmStartConfig(misread_rate=0.0, slip_rate=0.0)
    for problem in draw_problems(20, "worked"):
        text = taught_response(problem, "original", flawless, random.Random(0))
        assert text.endswith(f"\\boxed{{{problem.answer}}}")


QUIET = """
import asyncio, sys, torch
from pathlib import Path
from co_rewarding_trainer.policy import load_policy, sample
from reward_service.generation.transformers_backend import TransformersGenerator
policy = load_policy(Path(sys.argv[1]))
sample(policy, sys.argv[3:], 2, 1.0, torch.Generator())
policy.save(Path(sys.argv[2]))
asyncio.run(TransformersGenerator.open(sys.argv[2]))
from transformers.utils.logging import is_progress_bar_enabled
print(is_progress_bar_enabled())
"""


def test_nothing_is_said_beside_the_demo_s_own_bars(tmp_path: Path) -> None:
    command = [sys.executable, "-c", QUIET, str(SHIPPED), str(tmp_path), *PROMPTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", ""), "and transformers is as it was for others"


def test_how_sure_the_policy_was_follows_from_its_distributions(policy: Policy) -> None:
    rollouts = sample(policy, PROMPTS, 4, 1.0, seeded())
    length = rollouts.mask_BT.shape[1]
    with torch.no_grad():
        logits_BTV = policy.model(rollouts.tokens_BL[:, :-1], logits_to_keep=length).logits
    for row, sure in enumerate(rollouts.sureness_B):
        count = int(rollouts.mask_BT[row].sum())
        p_TV = torch.softmax(logits_BTV[row, :count], dim=-1)
        vocabulary = p_TV.shape[1]
        uniform = torch.full_like(p_TV, 1 / vocabulary)
        divergence = (uniform * (uniform / p_TV).log()).sum(dim=1).mean()
        assert sure.self_certainty == pytest.approx(divergence.item(), rel=1e-3)
        assert sure.entropy == pytest.approx(-(p_TV * p_TV.log()).sum(dim=1).mean().item(), rel=1e-3, abs=1e-4)
        likelihood = rollouts.logprobs_BT[row, :count].sum().exp().item()
        assert sure.confidence == pytest.approx(likelihood ** (1 / count), rel=1e-3)
        assert 0 < sure.confidence <= 1
