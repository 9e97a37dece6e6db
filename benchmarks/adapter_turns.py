# pyright: basic, reportMissingImports=false
"""Take turns with steps of 256 rollouts of some 1,500 characters: the bare client's one call, and an adapter."""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from co_rewarding_client import AsyncRewardClient, Rollout, RunSettings, testing
from pairs_sampled import WHOLE, pairs

QUESTIONS, GROUP_SIZE = WHOLE
ROLLOUTS = 2 * QUESTIONS * GROUP_SIZE
TURNS, WARM = 15, 3
BARE_RUN, RUN = "bare", "adapter"
SETTINGS = RunSettings(method="co-rewarding-i", group_size=GROUP_SIZE)
THOUGHTS = "word " * 290


@dataclass
class Turn:
    """A step for the adapter, whose rewards are to be `expected`: those of the bare call.

    The rollouts stand group by group, in the order of their numbers. No reward depends on who is first.
    """

    step: int
    rollouts: Sequence[testing.Sampled]
    expected: Sequence[float | None] = ()
    found: Sequence[float | None] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str = "adapter_s") -> Iterator[None]:
        """Time what the adapter and its framework do, without what only this program needs."""
        began_s = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began_s

    async def one_by_one(self, rewarded: Callable[[testing.Sampled], Awaitable[float | None]]) -> None:
        """Take the rewards of calls of a rollout each, which begin in a random order."""
        places = random.Random(self.step).sample(range(ROLLOUTS), ROLLOUTS)
        with self.timed():
            found = await asyncio.gather(*(rewarded(self.rollouts[place]) for place in places))
        self.found = [reward for _, reward in sorted(zip(places, found, strict=True))]

    def by_prompt(self) -> dict[str, list[str]]:
        """Return the responses to each prompt."""
        found: dict[str, list[str]] = {}
        for one in self.rollouts:
            found.setdefault(one.prompt, []).append(one.response)
        return found

    def rows(self) -> list[dict[str, str]]:
        """Return the rollouts as rows of a data set, each with its response."""
        return [
            {
                "question_id": one.question_id,
                "view": one.view,
                "prompt": one.prompt,
                "response": one.response,
            }
            for one in self.rollouts
        ]


def process_at(url: str) -> testing.Process:
    """Return a process of a trainer, for the adapters of the conformance kit."""
    return testing.Process(url=url, run=RUN, settings=SETTINGS, patience_s=120.0, began_s=0)


def service_url() -> str:
    """Return the address that the program was given."""
    return sys.argv[1]


async def turns(url: str) -> AsyncIterator[Turn]:
    """Make the run, ask for each step by the bare call, and print the seconds of a turn when it has been taken."""
    async with AsyncRewardClient(url, run=BARE_RUN) as client:
        for run in (BARE_RUN, RUN):
            await client.put_run(run, SETTINGS)
        for number in range(TURNS + WARM):
            sampled = pairs(*WHOLE, seed=str(number), tied=False)
            turn = Turn(number, [replace(one, response=THOUGHTS + one.response) for one in sampled])
            bare = [
                Rollout(question_id=one.question_id, view=one.view, rollout=one.index, response=one.response)
                for one in turn.rollouts
            ]
            with turn.timed("bare_s"):
                turn.expected = (await client.rewards(bare, step=number)).rewards
            yield turn
            assert list(turn.found) == list(turn.expected)
            if number >= WARM:
                print(json.dumps(turn.seconds), flush=True)
