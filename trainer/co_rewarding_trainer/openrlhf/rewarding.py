"""Ask for the reward of one rollout by the service's own contract, with the rollout's identity, in a coroutine."""

from dataclasses import dataclass
from typing import Any

from co_rewarding_client import AsyncRewardClient, Rewards, Rollout
from co_rewarding_client.transport import AsyncTransport
from co_rewarding_schema.methods import BY_GROUND_TRUTH

from co_rewarding_trainer.openrlhf.errors import TrainingSettingsError
from co_rewarding_trainer.openrlhf.labels import identity_in, truth_in
from co_rewarding_trainer.openrlhf.settings import TrainingSettings


@dataclass(frozen=True)
class RolloutReward:
    """A reward, 0.0 for an abstention, and the values for the trainer's logs, as /get_reward answers them."""

    reward: float
    logs: dict[str, float]


class RolloutRewarder:
    """Asks for rewards, one rollout a call. A repeated call votes once, because its rollout has an identity."""

    def __init__(self, settings: TrainingSettings, transport: AsyncTransport = "aiohttp") -> None:
        """Takes the settings; `transport` is the client's: aiohttp, for a thousand rollouts that wait at once.

        aiohttp is there wherever OpenRLHF is.

        Raises:
            TrainingSettingsError: the settings have no URL of the service.
        """
        if not settings.url:
            raise TrainingSettingsError("the agent does not know where the service is: set CO_REWARDING_URL.")
        self._settings = settings
        self._transport: AsyncTransport = transport
        self._clients: dict[str, AsyncRewardClient] = {}

    async def close(self) -> None:
        """Closes the connections."""
        for client in self._clients.values():
            await client.close()

    async def reward(self, prompt: str, response: str, label: str | None) -> RolloutReward:
        """Returns the reward of one rollout when its cohort is settled; docs/openrlhf.md has the kinds of `label`.

        Raises:
            TrainingSettingsError: the label has neither a question nor a ground truth, or is misspelt.
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
        content = truth_in(label)
        rollout = Rollout(prompt=prompt, response=response, ground_truth=content["ground_truth"])
        client = self._client(content.get("run") or self._settings.run)
        evaluate = content.get("evaluate", False)
        answer = await client.rewards([rollout], method=None if evaluate else BY_GROUND_TRUTH, evaluate=evaluate)
        return rollout_reward(answer, truth_sent=True)

    async def _known(self, prompt: str, response: str, identity: dict[str, Any]) -> RolloutReward:
        evaluate = identity.get("evaluate", False)
        if "rollout" not in identity and not (evaluate and "ground_truth" in identity):
            raise TrainingSettingsError(
                "a label has no rollout index: the agent needs `python -m co_rewarding_trainer.openrlhf.driver` "
                "in place of openrlhf.cli.train_ppo_ray."
            )
        rollout = Rollout(
            question_id=identity["question_id"],
            prompt=prompt if self._settings.teacher else None,  # the teacher answers the prompt, announced or not
            view=identity.get("view", "original"),
            rollout=identity.get("rollout"),
            attempt=identity.get("attempt", 0),
            response=response,
            ground_truth=identity.get("ground_truth"),
        )
        client = self._client(identity.get("run") or self._settings.run)
        answer = await client.rewards([rollout], step=identity.get("step"), complete=False, evaluate=evaluate)
        return rollout_reward(answer, truth_sent=rollout.ground_truth is not None)

    def _client(self, run: str) -> AsyncRewardClient:
        if run not in self._clients:
            self._clients[run] = AsyncRewardClient(
                self._settings.url, api_key=self._settings.api_key, run=run, transport=self._transport
            )
        return self._clients[run]


def rollout_reward(answer: Rewards, *, truth_sent: bool) -> RolloutReward:
    """Reads the service's answer for one rollout; an abstention is 0 for the whole group, as at /get_reward."""
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
    return RolloutReward(reward or 0.0, logs)
