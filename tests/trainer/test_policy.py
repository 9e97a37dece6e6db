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

from co_rewarding_trainer.chains import CHAINS  # noqa: E402
from co_rewarding_trainer.loop import LoopConfig, evaluate  # noqa: E402
from co_rewarding_trainer.policy import (  # noqa: E402
    END,
    END_ID,
    PAD,
    Policy,
    build_policy,
    build_tokenizer,
    load_policy,
)
from co_rewarding_trainer.sampling import Rollouts, response_logprobs, sample  # noqa: E402
from co_rewarding_trainer.task import draw_problems  # noqa: E402
from co_rewarding_trainer.warm_start import SHIPPED  # noqa: E402

PROMPTS = [problem.prompt("original") for problem in draw_problems(CHAINS, 6, "prompts")]


@pytest.fixture(scope="module")
def policy() -> Policy:
    torch.set_num_threads(1)
    return load_policy(SHIPPED)


def drawn(
    policy: Policy, group_size: int, temperature: float = 1.0, seed: int = 0, prompts: list[str] = PROMPTS
) -> Rollouts:
    generator = torch.Generator().manual_seed(seed)
    return sample(policy, prompts, group_size, temperature, generator, CHAINS.max_new_tokens)


@given(st.lists(st.sampled_from(CHAINS.words)), st.integers(0, 9))
def test_the_tokenizer_gives_the_text_back(words: list[str], answer: int) -> None:
    tokenizer = build_tokenizer(CHAINS)
    text = " ".join([*words, f"\\boxed{{{answer}}}"])
    tokens = tokenizer(text)["input_ids"]
    assert tokenizer.decode(tokens) == text
    assert tokens[-1] == END_ID == tokenizer.eos_token_id
    assert len(tokens) == len(words) + 3


@pytest.mark.parametrize("temperature", [1.0, 0.8])
def test_sampled_logprobs_are_the_models_own(policy: Policy, temperature: float) -> None:
    rollouts = drawn(policy, 4, temperature)
    with torch.no_grad():
        forward_BT = response_logprobs(policy, rollouts.tokens_BL, rollouts.mask_BT.shape[1], temperature)
    torch.testing.assert_close(rollouts.logprobs_BT, forward_BT * rollouts.mask_BT, rtol=1e-4, atol=1e-4)


def test_a_prompt_is_answered_alone_as_in_company_of_longer_ones(policy: Policy) -> None:
    """Padding has no say: what a batch makes likely is what each prompt alone makes likely."""
    assert len({len(prompt.split()) for prompt in PROMPTS}) > 1
    rollouts = drawn(policy, 4)
    for place, prompt in enumerate(PROMPTS):
        rows = slice(4 * place, 4 * place + 4)
        width = len(prompt.split())
        response_BT = rollouts.tokens_BL[rows, -rollouts.mask_BT.shape[1] :]
        alone_BL = torch.cat([torch.tensor([policy.tokenizer(prompt)["input_ids"]] * 4), response_BT], dim=1)
        assert alone_BL.shape[1] == width + response_BT.shape[1]
        with torch.no_grad():
            alone_BT = response_logprobs(policy, alone_BL, response_BT.shape[1])
        mask_BT = rollouts.mask_BT[rows]
        torch.testing.assert_close(rollouts.logprobs_BT[rows], alone_BT * mask_BT, rtol=1e-4, atol=1e-4)


def test_gradients_are_finite_where_prompts_are_padded() -> None:
    policy = build_policy(CHAINS, seed=1)
    rollouts = drawn(policy, 2)
    response_logprobs(policy, rollouts.tokens_BL, rollouts.mask_BT.shape[1]).sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in policy.model.parameters())


def test_a_prompt_that_is_read_once_for_a_group_has_the_gradient_of_one_that_each_row_reads() -> None:
    policy = build_policy(CHAINS, seed=1)
    rollouts = drawn(policy, 3)
    length = rollouts.mask_BT.shape[1]
    gradients = []
    for parts in (rollouts.tokens_BL[None], rollouts.tokens_BL[:, None]):
        policy.model.zero_grad()
        logprobs_BT = torch.cat([response_logprobs(policy, rows_BL, length) for rows_BL in parts])
        (logprobs_BT * rollouts.mask_BT).sum().backward()
        gradients.append([weight.grad for weight in policy.model.parameters()])
    for whole, alone in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, alone, rtol=1e-3, atol=1e-4)


def test_a_group_stands_together_behind_its_own_prompt(policy: Policy) -> None:
    rollouts = drawn(policy, 3)
    width = rollouts.tokens_BL.shape[1] - rollouts.mask_BT.shape[1]
    told = [policy.tokenizer.decode(tokens[:width]).replace(PAD, "").strip() for tokens in rollouts.tokens_BL.tolist()]
    assert told == [prompt for prompt in PROMPTS for _ in range(3)]


def test_a_response_stops_at_its_end_token(policy: Policy) -> None:
    rollouts = drawn(policy, 16, 1.5)
    for text, mask_T in zip(rollouts.texts, rollouts.mask_BT.tolist(), strict=True):
        assert mask_T == sorted(mask_T, reverse=True)
        assert END not in text[:-1]
        assert PAD not in text or text.count(PAD) < sum(mask_T)


def test_the_same_seed_samples_the_same(policy: Policy) -> None:
    first, again, other = (drawn(policy, 4, seed=seed).texts for seed in (0, 0, 1))
    assert first == again != other


def test_the_shipped_checkpoint_is_small_and_has_headroom(policy: Policy) -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 1_000_000
    assert evaluate(policy, LoopConfig()) == pytest.approx(0.62, abs=0.05)


def test_any_hugging_face_code_loads_the_shipped_checkpoint(policy: Policy) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(SHIPPED)
    tokenizer = transformers.AutoTokenizer.from_pretrained(SHIPPED)
    prompt = tokenizer(PROMPTS[0], return_tensors="pt")["input_ids"]
    response_T = model.generate(prompt, do_sample=False, max_new_tokens=CHAINS.max_new_tokens)[0, prompt.shape[1] :]
    assert tokenizer.decode(response_T)[-10:-2] == " \\boxed{"
    assert tokenizer.decode(response_T) in drawn(policy, 64, 0.3, prompts=PROMPTS[:1]).texts


def test_a_saved_policy_is_the_same_policy(policy: Policy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    again = load_policy(tmp_path)
    assert drawn(again, 2).texts == drawn(policy, 2).texts
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o044 == 0o044


QUIET = """
import asyncio, sys, torch
from pathlib import Path
from co_rewarding_trainer.policy import load_policy
from co_rewarding_trainer.sampling import sample
from reward_service.generation.transformers_backend import TransformersGenerator
policy = load_policy(Path(sys.argv[1]))
sample(policy, sys.argv[3:], 2, 1.0, torch.Generator(), 24)
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
    rollouts = drawn(policy, 4)
    length = rollouts.mask_BT.shape[1]
    with torch.no_grad():
        prompts_PL = policy.tokenizer(PROMPTS, padding=True, return_tensors="pt")["attention_mask"]
        attended_BL = torch.cat([prompts_PL.repeat_interleave(4, dim=0), rollouts.mask_BT.long()], dim=1)[:, :-1]
        logits_BTV = policy.model(
            rollouts.tokens_BL[:, :-1],
            attention_mask=attended_BL,
            position_ids=(attended_BL.cumsum(dim=1) - 1).clamp(min=0),
            logits_to_keep=length,
        ).logits
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
