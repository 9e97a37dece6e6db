"""slime's pattern: 64 connections for all rollouts of a step, one rollout a request, ten tries each, in any order."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import aiohttp
import pytest
from e2e_rule import GROUP, Rollout, co_rewarding, questions
from e2e_services import Service, assert_one_vote_each, service

CONNECTIONS = 64
TRIES = 10
QUESTIONS = 16
HOLD_S = 1.0
"""A tenth of the default, so that the test takes a tenth of the time."""

PAUSE_S = 0.1
LONGEST_PAUSE_S = 3.0
"""Between tries, a tenth of slime's: 1 s, twice as long each time, 30 s at most, and up to a second more."""


@pytest.fixture(scope="module")
def at() -> Iterator[Service]:
    with service(workers=1, api_processes=2, remote_rm_hold_s=HOLD_S) as made:
        made.all_accept()
        yield made


def shuffled(rollouts: Sequence[Rollout]) -> list[Rollout]:
    return random.Random(7).sample(rollouts, len(rollouts))


ORDERS: dict[str, Callable[[Sequence[Rollout]], list[Rollout]]] = {
    "by group": list,
    "by view": lambda rollouts: sorted(rollouts, key=lambda each: each.view),
    "interleaved": lambda rollouts: sorted(rollouts, key=lambda each: each.index),
    "random": shuffled,
}


class Slime:
    """Sends as slime's `remote_rm` does; any error is a reason for another try."""

    def __init__(self, url: str, run: str) -> None:
        self._url = url
        self._run = run
        self._chance = random.Random(1)
        self.got: dict[Rollout, tuple[float, float]] = {}
        self.turned_away: Counter[str] = Counter()

    async def reward(self, rollouts: Sequence[Rollout]) -> None:
        connector, timeout = aiohttp.TCPConnector(limit=CONNECTIONS), aiohttp.ClientTimeout(total=120)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            await asyncio.gather(*(self._remote_rm(http, rollout) for rollout in rollouts))

    async def _remote_rm(self, http: aiohttp.ClientSession, rollout: Rollout) -> None:
        label = {"question_id": rollout.question_id, "view": rollout.view, "n": GROUP, "run": self._run}
        body = {"prompt": rollout.prompt, "response": rollout.response, "label": label}
        for tried in range(TRIES):
            async with http.post(f"{self._url}/v1/remote_rm", json=body) as answer:
                document = await answer.json(content_type=None)
                if answer.status == 200:
                    self.got[rollout] = document["reward"], document["vote_share"]
                    return
                assert (answer.status, answer.headers["retry-after"]) == (503, "1"), document
            self.turned_away[document["detail"]] += 1
            await asyncio.sleep(min(PAUSE_S * 2**tried, LONGEST_PAUSE_S) + self._chance.random() / 10)
        raise AssertionError(f"{rollout} was turned away {TRIES} times: {document}")


def worded(rollouts: Sequence[Rollout]) -> list[Rollout]:
    """The same with a text of its own each: of equal texts the service counts those that it holds at one time."""
    return [replace(rollout, response=f"{rollout.response} #{rollout.index}") for rollout in rollouts]


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_is_answered_as_by_counting(at: Service, run: str, order: str) -> None:
    rollouts = worded(questions(QUESTIONS, 51))
    at.make_run(run, method="co-rewarding-i", group_size=GROUP)
    slime = Slime(at.url, run)
    asyncio.run(slime.reward(ORDERS[order](rollouts)))
    due = co_rewarding(rollouts, indexed=False)
    assert slime.got == {rollout: (each.reward or 0.0, each.vote_share) for rollout, each in due.items()}
    assert_one_vote_each(at, run, rollouts)
    if order != "by group":
        assert slime.turned_away, "64 connections were enough: nothing was held for too long"
        # A store that is busy for a second leaves an answer without its reason.
        assert any(" ballots): " in detail for detail in slime.turned_away), slime.turned_away
