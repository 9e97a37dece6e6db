"""Training learns from its rewards alone, group by group, from the same data each time, and sends what is needed."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the laptop trainer needs torch: pip install 'co-rewarding[local]'")
pytest.importorskip("transformers", reason="the laptop trainer needs transformers: pip install 'co-rewarding[local]'")

from co_rewarding_trainer.chains import CHAINS  # noqa: E402
from co_rewarding_trainer.grpo import group_advantages, policy_loss, update  # noqa: E402
from co_rewarding_trainer.loop import LoopConfig, questions, train  # noqa: E402
from co_rewarding_trainer.policy import Policy, load_policy  # noqa: E402
from co_rewarding_trainer.sampling import Rollouts, response_logprobs, sample  # noqa: E402
from co_rewarding_trainer.warm_start import SHIPPED  # noqa: E402

from tests.trainer.scoring import AbstainingRewarder, GroundTruthRewarder, LabellingRewarder  # noqa: E402

SHORT = LoopConfig(steps=2, evaluation_problems=20)
G = 8
Group = list[float | None]
rewarded = st.lists(st.sampled_from([0.0, 1.0]), min_size=G, max_size=G)
abstained: Group = [None] * G
batches = st.lists(st.one_of(rewarded, st.just(abstained)), min_size=1, max_size=6)


@pytest.fixture
def policy() -> Policy:
    torch.set_num_threads(1)
    return load_policy(SHIPPED)


def test_rewards_rise_when_they_tell_the_truth(policy: Policy) -> None:
    config = LoopConfig(steps=30, evaluate_every=30, evaluation_problems=200)
    training = train(policy, GroundTruthRewarder(), config)
    rewards = [report.reward for report in training.steps]
    assert sum(rewards[-5:]) > sum(rewards[:5]) + 0.25
    first, last = training.evaluations
    assert last.accuracy > first.accuracy + 0.05


def test_a_step_holds_whole_groups_of_both_views_of_every_question() -> None:
    rewarder = GroundTruthRewarder()
    train(load_policy(SHIPPED), rewarder, SHORT)
    for sent in rewarder.sent:
        assert len(sent) == 256
        views = Counter((rollout.question_id, rollout.view) for rollout in sent)
        assert set(views.values()) == {8}
        assert Counter(view for _, view in views) == {"original": 16, "paraphrase": 16}
        assert [rollout.rollout for rollout in sent] == [*range(8)] * 32


def test_the_same_seed_asks_and_answers_the_same(policy: Policy) -> None:
    first, again, other = GroundTruthRewarder(), GroundTruthRewarder(), GroundTruthRewarder()
    train(policy, first, SHORT)
    train(load_policy(SHIPPED), again, SHORT)
    train(load_policy(SHIPPED), other, replace(SHORT, seed=1))
    assert first.sent == again.sent
    assert first.sent[0] != other.sent[0]


def test_abstentions_change_nothing(policy: Policy) -> None:
    before = [weight.clone() for weight in policy.model.parameters()]
    train(policy, AbstainingRewarder(), SHORT)
    assert all(torch.equal(old, new) for old, new in zip(before, policy.model.parameters(), strict=True))


def test_evaluations_come_before_the_first_step_and_after_the_last(policy: Policy) -> None:
    seen: list[tuple[int, int]] = []
    config = replace(SHORT, steps=3, evaluate_every=2)
    training = train(
        policy, GroundTruthRewarder(), config, lambda report, latest: seen.append((report.step, latest.step))
    )
    assert [each.step for each in training.evaluations] == [0, 2, 3]
    assert seen == [(0, 0), (1, 0), (2, 2)]


def test_each_epoch_asks_every_pair_once_in_an_order_of_its_own() -> None:
    config = replace(SHORT, distinct_pairs=64, wrong_paraphrases=0.25)
    epochs = [[asked for step in range(at, at + 4) for asked in questions(step, config)] for at in (0, 4)]
    first, second = ([(each.question_id, each.view, each.prompt) for each in epoch] for epoch in epochs)
    assert len(first) == len(set(first)) == 128
    assert sorted(first) == sorted(second)
    assert first != second
    with pytest.raises(ValueError, match="65 pairs"):
        replace(SHORT, distinct_pairs=65)


def test_at_test_time_the_held_out_problems_are_asked_and_no_truth_is_sent(policy: Policy) -> None:
    config = replace(SHORT, steps=2, pairs_per_step=10, group_size=2, test_time=True)
    rewarder = LabellingRewarder()
    training = train(policy, rewarder, config)
    asked = [asked for step in range(2) for asked in questions(step, config)]
    assert len({each.question_id for each in asked}) == config.evaluation_problems, "an epoch asks each once"
    assert all(each.problem.held_out for each in asked)
    assert {rollout.ground_truth for sent in rewarder.sent for rollout in sent} == {None}
    assert [report.label_accuracy for report in training.steps] == [1.0, 0.5], "counted by the trainer"


def test_a_near_copy_is_the_question_in_the_same_words() -> None:
    config = replace(SHORT, near_copies=True, wrong_paraphrases=0.25)
    originals, paraphrases = questions(0, config)[:16], questions(0, config)[16:]
    assert sum(one.prompt != two.prompt for one, two in zip(originals, paraphrases, strict=True)) == 4
    assert [each.prompt for each in originals] == [each.prompt for each in questions(0, SHORT)[:16]]


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


def test_a_step_that_reads_what_has_an_advantage_is_the_step_that_reads_all(policy: Policy) -> None:
    """Groups without an advantage count in the mean over tokens, as before they were left out."""
    prompts = [asked.prompt for asked in questions(0, SHORT)][:4]
    rollouts = sample(policy, prompts, G, 1.0, torch.Generator().manual_seed(0), CHAINS.max_new_tokens)
    advantages_B = group_advantages([*[1.0, 0.0] * (G // 2), *[1.0] * G, *[0.0] * G, *[1.0, 0.0, 0.0, 0.0] * 2], G)
    length = rollouts.mask_BT.shape[1]
    loss = policy_loss(response_logprobs(policy, rollouts.tokens_BL, length), rollouts, advantages_B)
    loss.backward()
    expected = [weight.grad.clone() for weight in policy.model.parameters() if weight.grad is not None]
    optimizer = torch.optim.SGD(policy.model.parameters(), lr=0.0)
    assert update(policy, optimizer, rollouts, advantages_B) == pytest.approx(loss.item(), abs=1e-6)
    norm = torch.cat([each.flatten() for each in expected]).norm().clamp(min=1.0)
    for weight, before in zip(policy.model.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, before / norm, rtol=1e-3, atol=1e-5)


def test_the_loss_makes_what_was_rewarded_more_likely() -> None:
    logprobs_BT = torch.full((G, 2), -1.0, requires_grad=True)
    rollouts = Rollouts(torch.zeros(G, 5), torch.full((G, 2), -1.0), torch.ones(G, 2), ("",) * G, 1.0)
    policy_loss(logprobs_BT, rollouts, group_advantages([1.0, *[0.0] * (G - 1)], G)).backward()
    assert logprobs_BT.grad is not None
    assert (logprobs_BT.grad[0] < 0).all()  # the loss falls as these become more likely
    assert (logprobs_BT.grad[1:] > 0).all()
