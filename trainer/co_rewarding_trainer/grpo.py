"""Turn rewards into a step of the policy: advantages within groups, and the clipped surrogate loss (GRPO).

Shapes: P prompts, G rollouts of each, B = P·G rollouts, T tokens of a response.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from co_rewarding_trainer.policy import Policy
from co_rewarding_trainer.sampling import Rollouts, response_logprobs

CLIP = 0.2
EPSILON = 1e-6


def group_advantages(rewards_B: Sequence[float | None], group_size: int) -> Tensor:
    """Turns rewards into advantages, shape B, normalised within each group of `group_size` and never across groups.

    B = P·G rewards stand group by group, and a view of a question is a group of its own (arXiv 2508.00410, eq. 7). A
    group that abstained (None) has no advantage, and neither has one whose rewards are all equal: nothing is learnt.
    """
    known_B = [float("nan") if reward is None else reward for reward in rewards_B]
    rewards_PG = torch.tensor(known_B, dtype=torch.float32).view(-1, group_size)
    centred_PG = rewards_PG - rewards_PG.mean(dim=1, keepdim=True)
    spread_P1 = rewards_PG.std(dim=1, keepdim=True, correction=0)
    return torch.nan_to_num(centred_PG / (spread_P1 + EPSILON)).flatten()


def policy_loss(logprobs_BT: Tensor, rollouts: Rollouts, advantages_B: Tensor) -> Tensor:
    """Returns the clipped surrogate loss, averaged over the tokens of the responses; there is no KL term."""
    ratios_BT = (logprobs_BT - rollouts.logprobs_BT).exp()
    advantages_B1 = advantages_B.to(logprobs_BT.device)[:, None]
    clipped_BT = ratios_BT.clamp(1 - CLIP, 1 + CLIP) * advantages_B1
    gains_BT = torch.minimum(ratios_BT * advantages_B1, clipped_BT) * rollouts.mask_BT
    return -gains_BT.sum() / rollouts.mask_BT.sum()


def update(policy: Policy, optimizer: torch.optim.Optimizer, rollouts: Rollouts, advantages_B: Tensor) -> float:
    """Makes one optimizer step on the rollouts that the policy has just sampled, and returns the loss.

    Rollouts without an advantage have no gradient: the model does not read them again. Where none has one, there is
    no step.
    """
    rows = advantages_B.nonzero().flatten().tolist()
    if not rows:
        return 0.0
    learnt = rollouts.only(rows)
    logprobs_BT = response_logprobs(policy, learnt.tokens_BL, learnt.mask_BT.shape[1], learnt.temperature)
    share = learnt.mask_BT.sum() / rollouts.mask_BT.sum()
    loss = policy_loss(logprobs_BT, learnt, advantages_B[rows]) * share
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(policy.model.parameters(), 1.0)
    optimizer.step()
    return loss.item()
