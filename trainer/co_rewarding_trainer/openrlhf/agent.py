"""Serve OpenRLHF's interface for agents: --train.agent_func_path takes this file.

Needs OpenRLHF, and is imported by its vLLM actors only.
"""

from typing import Any

from openrlhf.utils.agent import SingleTurnAgentExecutor  # pyright: ignore[reportMissingImports]

from co_rewarding_trainer.openrlhf.foreign import Foreign
from co_rewarding_trainer.openrlhf.rewarding import RolloutRewarder
from co_rewarding_trainer.openrlhf.settings import TrainingSettings


class AgentExecutor(SingleTurnAgentExecutor):
    """Samples one response to a prompt and asks the service for its reward, in a coroutine that blocks no thread."""

    numbers_rollouts = True  # the rollout actor puts the index into the label

    def __init__(self) -> None:
        """Reads the service's address from CO_REWARDING_URL: OpenRLHF hands no URL on to an agent."""
        super().__init__()
        self._rewarder = RolloutRewarder(TrainingSettings.from_environment())

    async def close(self) -> None:
        """Closes the connections. OpenRLHF never calls `close`: its process ends."""
        await self._rewarder.close()

    async def execute(
        self,
        prompt: str,
        label: str,
        sampling_params: Foreign,
        max_length: int,
        hf_tokenizer: Foreign,
        llm_engine: Foreign,
        images: Foreign = None,
    ) -> dict[str, Any]:
        """Samples a rollout with OpenRLHF's own executor, and adds the reward and what is logged beside the reward.

        Raises:
            CoRewardingError: the service refused, or was away for longer than the client's patience.
        """
        output = await super().execute(
            prompt, label, sampling_params, max_length, hf_tokenizer, llm_engine, images=images
        )
        ((start, end),) = output["action_ranges"]
        # The end-of-turn token is not part of the answer.
        response = hf_tokenizer.decode(output["observation_tokens"][start:end], skip_special_tokens=True)
        rewarded = await self._rewarder.reward(prompt, response, label)
        return output | {"reward": rewarded.reward, "scores": rewarded.reward, "extra_logs": rewarded.logs}
