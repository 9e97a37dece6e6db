"""The laws of advantages: what a group's rewards are worth depends on that group alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the laptop trainer needs torch: pip install 'co-rewarding[local]'")
pytest.importorskip("transformers", reason="the laptop trainer needs transformers: pip install 'co-rewarding[local]'")

from co_rewarding_trainer.grpo import group_advantages, policy_loss  # noqa: E402
from co_rewarding_trainer.policy import Rollouts  # noqa: E402

G = 8
Group = list[float | None]
rewarded = st.lists(st.sampled_from([0.0, 1.0]), min_size=G, max_size=G)
abstained: Group = [None] * G
batches = st.lists(st.one_of(rewarded, st.just(abstained)), min_size=1, max_size=6)


def advantages(groups: list[Group]) -> list[list[float]]:
    return group_advantages([reward for group in groups for reward in group], G).view(-1, G).tolist()


@given(batches)
def test_advantages_of_a_group_have_mean_zero_and_deviation_one_or_are_all_zero(groups: list[Group]) -> None:
    for group, values in zip(groups, advantages(groups), strict=True):
        if None in group or len(set(group)) == 1:
            assert values == [0.0] * G
        else:
            assert sum(values) == pytest.approx(0, abs=1e-4)
            assert math.hypot(*values) == pytest.approx(math.sqrt(G), rel=1e-3)


@given(batches, rewarded)
def test_a_group_does_not_see_the_other_view(groups: list[Group], other_view: Group) -> None:
    assert advantages([*groups, other_view])[: len(groups)] == advantages(groups)


@given(rewarded)
def test_a_higher_reward_is_a_higher_advantage(group: list[float]) -> None:
    [values] = advantages([group])
    for reward, value in zip(group, values, strict=True):
        assert value * (reward - 0.5) >= 0


def test_half_a_group_is_not_a_group() -> None:
    with pytest.raises(RuntimeError):
        group_advantages([1.0] * (G + 1), G)


def test_padding_and_abstained_groups_have_no_gradient() -> None:
    logprobs_BT = torch.full((2 * G, 3), -1.0, requires_grad=True)
    mask_BT = torch.ones(2 * G, 3)
    mask_BT[:, 2] = 0.0
    rollouts = Rollouts(torch.zeros(2 * G, 5), torch.full((2 * G, 3), -1.0), mask_BT, ("",) * 2 * G, 1.0)
    rewards_B = [1.0, *[0.0] * (G - 1), *abstained]
    policy_loss(logprobs_BT, rollouts, group_advantages(rewards_B, G)).backward()
    assert logprobs_BT.grad is not None
    assert (logprobs_BT.grad[:G, :2] != 0).all()
    assert (logprobs_BT.grad[:G, 2] == 0).all()
    assert (logprobs_BT.grad[G:] == 0).all()


def test_the_loss_makes_what_was_rewarded_more_likely() -> None:
    logprobs_BT = torch.full((G, 2), -1.0, requires_grad=True)
    rollouts = Rollouts(torch.zeros(G, 5), torch.full((G, 2), -1.0), torch.ones(G, 2), ("",) * G, 1.0)
    policy_loss(logprobs_BT, rollouts, group_advantages([1.0, *[0.0] * (G - 1)], G)).backward()
    assert logprobs_BT.grad is not None
    assert (logprobs_BT.grad[0] < 0).all()  # the loss falls as these become more likely
    assert (logprobs_BT.grad[1:] > 0).all()
