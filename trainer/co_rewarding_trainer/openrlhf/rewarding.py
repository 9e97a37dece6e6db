"""One rollout's reward by the service's own contract, with its identity, for a process full of coroutines."""

from dataclasses import dataclass
from typing import Any

import httpx
from co_rewarding_client import AsyncRewardClient, Rewards, Rollout
from co_rewarding_schema.methods import BY_GROUND_TRUTH

from co_rewarding_trainer.openrlhf.errors import TrainingSettingsError
from co_rewarding_trainer.openrlhf.labels import identity_in, truth_in
from co_rewarding_trainer.openrlhf.settings import TrainingSettings


@dataclass(frozen=True)
class Rewarded:
    """A reward, 0.0 for an abstention, and what goes to the trainer's logs beside it: the same as /get_reward says."""

    reward: float
    logs: dict[str, float]


class RolloutRewarder:
    """Asks for rewards, one rollout a call. A call that is repeated votes once: its rollout has an identity."""

    def __init__(self, settings: TrainingSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` is httpx's, for tests.

        Raises:
            TrainingSettingsError: it is not said where the service is.
        """
        if not settings.url:
            raise TrainingSettingsError("the agent does not know where the service is: set CO_REWARDING_URL.")
        self._settings = settings
        self._transport = transport
        self._clients: dict[str, AsyncRewardClient] = {}

    async def close(self) -> None:
        """Closes the connections."""
        for client in self._clients.values():
            await client.close()

    async def reward(self, prompt: str, response: str, label: str | None) -> Rewarded:
        """The reward of one rollout, when its cohort is settled; `label` is of one of the kinds of docs/openrlhf.md.

        Raises:
            TrainingSettingsError: the label says neither what is asked nor what is true, or is misspelt.
            CoRewardingError: the service refused, or was away for longer than the client's patience.
        """
        identity = identity_in(label)
        if identity is not None:
            return await self._known(prompt, response, identity)
        if not label:
            raise TrainingSettingsError(
                "a rollout has an empty label: the agent needs one that names its question, or a ground truth; "
                "a vote by prompt is had with --reward.remote_url."
            )
        rollout = Rollout(prompt=prompt, response=response, ground_truth=truth_in(label))
        client = self._client(self._settings.run)
        return rewarded(await client.rewards([rollout], method=BY_GROUND_TRUTH), truth_sent=True)

    async def _known(self, prompt: str, response: str, identity: dict[str, Any]) -> Rewarded:
        if "rollout" not in identity:
            raise TrainingSettingsError(
                "a label has no rollout index: the agent needs `python -m co_rewarding_trainer.openrlhf.driver` "
                "in place of openrlhf.cli.train_ppo_ray."
            )
        rollout = Rollout(
            question_id=identity["question_id"],
            prompt=prompt if self._settings.teacher else None,  # the teacher answers it, announced or not
            view=identity.get("view", "original"),
            rollout=identity["rollout"],
            attempt=identity.get("attempt", 0),
            response=response,
            ground_truth=identity.get("ground_truth"),
        )
        client = self._client(identity.get("run") or self._settings.run)
        answer = await client.rewards([rollout], step=identity.get("step"), complete=False)
        return rewarded(answer, truth_sent=rollout.ground_truth is not None)

    def _client(self, run: str) -> AsyncRewardClient:
        if run not in self._clients:
            self._clients[run] = AsyncRewardClient(
                self._settings.url, api_key=self._settings.api_key, run=run, transport=self._transport
            )
        return self._clients[run]


def rewarded(answer: Rewards, *, truth_sent: bool) -> Rewarded:
    """What an answer for one rollout comes to; as at /get_reward, an abstention is 0 for a whole group alike."""
    (reward,) = answer.rewards
    label = answer.labels[0] if answer.labels else None
    logs = {
        "prompt_not_found": 0.0,  # the response was sent alone
        "vote_share": label.votes / label.of if label is not None and label.of else 0.0,
        "abstained": float(reward is None),
        "undecided": float(answer.metrics["undecided"] or 0.0),
    }
    if truth_sent:
        # Always there: OpenRLHF ends a run in whose logs a name comes and goes.
        logs["label_matches_truth"] = float(answer.metrics.get("label_accuracy") or 0.0)
    return Rewarded(reward or 0.0, logs)
