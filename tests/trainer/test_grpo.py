"""Advantages and the policy step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the trainer's tests need torch: pip install 'co-rewarding[local]'")

from co_rewarding_trainer.grpo import group_advantages, policy_loss  # noqa: E402
from co_rewarding_trainer.policy import load_policy, response_logprobs, sample  # noqa: E402
from co_rewarding_trainer.task import draw_problems  # noqa: E402
from co_rewarding_trainer.warm_start import SHIPPED  # noqa: E402

rewards = st.sampled_from([0.0, 1.0])


@given(st.integers(2, 8), st.data())
def test_groups_are_normalised_by_themselves(size: int, data: st.DataObject) -> None:
    groups = [data.draw(st.lists(rewards, min_size=size, max_size=size)) for _ in range(3)]
    advantages = group_advantages([reward for group in groups for reward in group], size).view(3, size)
    for group, own in zip(groups, advantages, strict=True):
        assert torch.equal(own, group_advantages(group, size))
        assert abs(own.sum().item()) < 1e-4
        if len(set(group)) == 1:
            assert not own.any()
        else:
            assert abs(own.square().mean().item() - 1) < 1e-3
            assert all((value > 0) == (reward == 1.0) for value, reward in zip(own.tolist(), group, strict=True))


def test_a_group_that_abstained_teaches_nothing() -> None:
    advantages = group_advantages([None, None, 1.0, 0.0], 2)
    assert advantages[:2].tolist() == [0.0, 0.0]
    assert advantages[2] > 0 > advantages[3]


def test_sampled_logprobs_are_the_policys_own() -> None:
    policy = load_policy(SHIPPED)
    prompts = [problem.prompt("original") for problem in draw_problems(4, "logprobs")]
    rollouts = sample(policy, prompts, 3, 1.0, torch.Generator().manual_seed(0))
    again = response_logprobs(policy.model, rollouts.tokens_BL, rollouts.mask_BT.shape[1], 1.0)
    torch.testing.assert_close(again * rollouts.mask_BT, rollouts.logprobs_BT * rollouts.mask_BT, atol=1e-4, rtol=1e-4)
    assert len(rollouts.texts) == 12


def test_the_first_step_follows_the_advantages() -> None:
    policy = load_policy(SHIPPED)
    prompts = [problem.prompt("original") for problem in draw_problems(2, "loss")]
    rollouts = sample(policy, prompts, 2, 1.0, torch.Generator().manual_seed(0))
    logprobs = rollouts.logprobs_BT.clone().requires_grad_()
    policy_loss(logprobs, rollouts, torch.tensor([1.0, -1.0, 0.0, 0.0])).backward()
    assert logprobs.grad is not None
    spoken = rollouts.mask_BT.bool()
    assert (logprobs.grad[0][spoken[0]] < 0).all()
    assert (logprobs.grad[1][spoken[1]] > 0).all()
    assert not logprobs.grad[2:].any()
    assert not logprobs.grad[~spoken].any()


def test_the_same_seed_samples_the_same() -> None:
    policy = load_policy(SHIPPED)
    prompts = [problem.prompt("paraphrase") for problem in draw_problems(4, "seed")]
    texts = [sample(policy, prompts, 2, 1.0, torch.Generator().manual_seed(seed)).texts for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
