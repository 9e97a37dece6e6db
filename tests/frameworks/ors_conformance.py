# pyright: basic, reportMissingImports=false
"""Prove the environment of the Open Reward Standard: URL [CASE ...]. Rollouts are numbered in their tasks."""

import asyncio

from co_rewarding_client import testing
from co_rewarding_client.open_reward import CoRewarding, Submission, environment
from co_rewarding_client.training import Endpoint


class Sessions:
    """A session for each rollout, without the HTTP between it and openreward's client, which tells errors as text."""

    def __init__(self, served: type[CoRewarding]) -> None:
        self._served = served

    async def score(self, handed: testing.Handed) -> list[float | None]:
        (rollout,) = handed.rollouts
        task = {
            "question_id": rollout.question_id,
            "view": rollout.view,
            "prompt": rollout.prompt,
            "ground_truth": rollout.ground_truth,
            "step": handed.step,
            "rollout": rollout.index,
            "evaluate": handed.evaluate,
        }
        output = await self._served(task).submit(Submission(answer=rollout.answer or ""))
        return [output.reward]

    async def close(self) -> None:
        await self._served.singles.close()


async def made(process: testing.Process) -> Sessions:
    endpoint = Endpoint(url=process.url, run=process.run, patience_s=process.patience_s)
    # Its server makes the run before it serves, by a blocking call.
    served = await asyncio.to_thread(environment, endpoint, process.settings, train=[], attempt=process.began_s)
    return Sessions(served)


if __name__ == "__main__":
    testing.main(made, unit="rollout")
