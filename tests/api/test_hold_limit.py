"""One timer for all that are held under a limit, each of whom is ended in turn, unless removed before."""

import asyncio
import time

import pytest

from reward_service.api.rewards.hold_limit import HoldLimit
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
HOLD_S = 0.05


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Ended:
    """Notes who was ended, and when."""

    def __init__(self) -> None:
        self.at_s: dict[str, float] = {}
        self.limit = HoldLimit(HOLD_S, self._end)

    def _end(self, who: str) -> None:
        assert who not in self.at_s, "ended twice"
        self.at_s[who] = time.perf_counter()

    async def wait_for(self, *who: str) -> list[str]:
        """The order in which some were ended, when all were."""

        async def all_ended() -> bool:
            return set(who) <= self.at_s.keys()

        await until(all_ended)
        return list(self.at_s)


async def test_whoever_came_first_is_ended_first_and_none_too_early() -> None:
    ended, came_s = Ended(), dict[str, float]()
    for who in "abc":
        came_s[who] = time.perf_counter()
        ended.limit.add(who)
        await asyncio.sleep(0)
    assert await ended.wait_for(*"abc") == ["a", "b", "c"]
    assert all(ended.at_s[who] - came_s[who] >= HOLD_S for who in "abc")


async def test_who_is_removed_is_not_ended_and_the_next_is() -> None:
    ended = Ended()
    for who in "abc":
        ended.limit.add(who)
    for who in "ab":
        ended.limit.remove(who)
    ended.limit.remove("a")  # once more: it may have been ended meanwhile
    assert await ended.wait_for("c") == ["c"]


async def test_it_goes_on_after_nobody_was_held() -> None:
    ended = Ended()
    ended.limit.add("a")
    await ended.wait_for("a")
    ended.limit.add("b")
    ended.limit.remove("b")
    ended.limit.add("c")
    assert await ended.wait_for("c") == ["a", "c"]


async def test_who_is_added_while_others_are_ended_is_ended_in_turn() -> None:
    limit: HoldLimit[str]
    ended: list[str] = []

    def end(who: str) -> None:
        ended.append(who)
        if who == "a":
            limit.add("c")
            limit.remove("b")

    async def all_ended() -> bool:
        return ended == ["a", "c"]

    limit = HoldLimit(HOLD_S, end)
    limit.add("a")
    limit.add("b")
    await until(all_ended)
