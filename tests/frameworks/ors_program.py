# pyright: basic, reportMissingImports=false
"""Submit answers by openreward's own client to its own server, a session a rollout: URL RUN KIND."""

import asyncio
import json
import os
import sys
from dataclasses import replace
from typing import Any

os.environ |= {
    "OPENREWARD_DISABLE_UPDATE_CHECK": "1",
    "OPENREWARD_API_KEY": "none",
    "OPENREWARD_LOG_LEVEL": "ERROR",
}

from co_rewarding_client import RunSettings
from co_rewarding_client.open_reward import environment
from co_rewarding_client.testing.sampling import Sampled
from co_rewarding_client.training import Endpoint, paired
from openreward import AsyncOpenReward
from openreward.api.errors import ToolFailed
from openreward.environments import Server
from pairs_sampled import SMALL, WHOLE, pairs, shuffled, silenced
from served import served


async def submitted(known: Any, task: Any, rollout: Sampled, kind: str) -> dict[str, Any]:
    """Return what the tool answers to a rollout in a session of its own."""
    if kind == "numbered":
        task = replace(task, task_spec=dict(task.task_spec) | {"rollout": rollout.index})
    async with known.session(task=task) as session:
        (block,) = await session.get_prompt()
        assert block.text == rollout.prompt, (block.text, rollout.prompt)
        output = await session.call_tool("submit", {"answer": rollout.answer or ""})
    return {
        "question_id": rollout.question_id,
        "view": rollout.view,
        "index": rollout.index,
        "answer": rollout.answer,
        "reward": output.reward,
        "finished": output.finished,
        "metadata": output.metadata,
    }


async def played(made: type, rollouts: list[Sampled], kind: str) -> list[dict[str, Any]]:
    async with served(Server([made]).app) as where:
        os.environ["OPENREWARD_SESSION_URL"] = os.environ["OPENREWARD_API_URL"] = where
        async with AsyncOpenReward().environments as environments:
            known = environments.get("CoRewardingEnvironment")
            assert [tool.name for tool in await known.list_tools()] == ["submit"]
            tasks = {
                (task.task_spec["question_id"], task.task_spec["view"]): task
                for task in await known.list_tasks("test" if kind == "evaluated" else "train")
            }
            calls = [submitted(known, tasks[one.question_id, one.view], one, kind) for one in rollouts]
            return await asyncio.gather(*calls)


def main(url: str, run: str, kind: str) -> None:
    """Play a step: numbered, unnumbered as by trainers that know the task alone, evaluated, silent, or unanswered."""
    questions, group_size = WHOLE if kind.endswith("numbered") else SMALL
    rollouts = pairs(questions, group_size, seed=run, tied=kind == "numbered")
    if kind == "silent":
        rollouts = silenced(rollouts, "q0", "original")
    texts: dict[str, dict[str, str]] = {}
    for rollout in rollouts:
        texts.setdefault(rollout.question_id, {})[rollout.view] = rollout.prompt
    rows = paired(
        {"question_id": name, "question": views["original"], "paraphrase": views["paraphrase"], "ground_truth": "1"}
        for name, views in texts.items()
    )
    originals = [row for row in rows if row["view"] == "original"]
    if kind == "evaluated":
        rollouts = [rollout for rollout in rollouts if rollout.view == "original"]
    endpoint, settings = Endpoint(url=url, run=run), RunSettings(method="co-rewarding-i", group_size=group_size)
    if kind == "unanswered":  # a teacher is to vote, and there is none
        endpoint, settings = Endpoint(url=url, run=run, patience_s=2.0), RunSettings(method="co-rewarding-ii")
    made = environment(endpoint, settings, train=rows, test=originals)
    try:
        for told in asyncio.run(played(made, shuffled(rollouts, run), kind)):
            print(json.dumps(told))
    except ToolFailed as error:
        print(json.dumps({"raised": type(error).__name__, "said": str(error)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
