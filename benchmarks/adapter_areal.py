# pyright: basic, reportMissingImports=false
"""Time AReaL's own executor: 16 episodes, of a pair each, whose responses are there at once, a token a byte."""

import asyncio
import sys

from fetched import fetched

sys.path.insert(0, str(fetched("areal")))

import areal_program
from adapter_turns import GROUP_SIZE, RUN, SETTINGS, Turn, service_url, turns


def rows_of(turn: Turn) -> list[dict[str, object]]:
    """Return a row of the data set for each question."""
    rows: dict[str, dict[str, object]] = {}
    for one in turn.rollouts:
        name = {"original": "messages", "paraphrase": "paraphrase_messages"}[one.view]
        rows.setdefault(one.question_id, {"question_id": one.question_id})[name] = areal_program.messages(one.prompt)
    return list(rows.values())


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    areal_program.load()
    workflow = areal_program.workflow_of(url, RUN, GROUP_SIZE, SETTINGS)
    engine = areal_program.Ordered({})
    executor = areal_program.executor_of(engine)
    async for turn in turns(url):
        engine.plan(turn.by_prompt(), turn.step)
        rows = rows_of(turn)
        with turn.timed():
            found = await asyncio.to_thread(executor.rollout_batch, rows, workflow)
        rewards = {each["text"]: each["reward"] for each in areal_program.read(found)}
        turn.found = [rewards[one.prompt + one.response] for one in turn.rollouts]
    executor.destroy()


if __name__ == "__main__":
    asyncio.run(main(service_url()))
