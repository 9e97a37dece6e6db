"""Rollouts that are asked for one at a time are sent together, and each gets its own reward."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from client_world import problem, rewards_document
from co_rewarding_client import AsyncRewardClient, InvalidRequest, Rollout
from co_rewarding_client.gathering import MOST, GatheredRewards, Rewarded


def rollout(index: int, response: str = "\\boxed{4}", **more: Any) -> Rollout:
    return Rollout(question_id="q", rollout=index, response=response, **more)


def gathered(
    ask: Callable[[GatheredRewards], Awaitable[Any]], answer: Callable[[Any], httpx.Response]
) -> tuple[Any, list[Any]]:
    """What `ask` returns, and the bodies that were sent."""
    bodies: list[Any] = []

    def service(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return answer(bodies[-1])

    async def run() -> Any:
        transport = httpx.MockTransport(service)
        async with AsyncRewardClient("http://service", transport=transport, patience_s=0.0) as client:
            return await ask(GatheredRewards(lambda: client))

    return asyncio.run(run()), bodies


def by_index(body: Any) -> httpx.Response:
    """Rewards each rollout with its index; the third of a group abstains."""
    indexes = [each["rollout"] for each in body["rollouts"]]
    document = rewards_document(
        len(indexes),
        rewards=[None if index == 3 else float(index) for index in indexes],
        abstentions=["no-label" if index == 3 else None for index in indexes],
    )
    return httpx.Response(200, json=document)


def test_what_is_asked_for_at_once_is_one_part() -> None:
    async def ask(rewards: GatheredRewards) -> list[Rewarded]:
        return await asyncio.gather(*(rewards.reward(rollout(index), step=7) for index in range(5)))

    found, bodies = gathered(ask, by_index)
    assert [each.reward for each in found] == [0.0, 1.0, 2.0, None, 4.0]
    assert [each.abstention for each in found] == [None, None, None, "no-label", None]
    assert [each.label.votes for each in found if each.label] == [6] * 5
    assert [(body["step"], body["complete"], len(body["rollouts"])) for body in bodies] == [(7, False, 5)]


def test_steps_and_evaluations_are_parts_of_their_own() -> None:
    async def ask(rewards: GatheredRewards) -> list[Rewarded]:
        told = [{"step": 1}, {"step": 2}, {"step": 1, "evaluate": True}]
        return await asyncio.gather(*(rewards.reward(rollout(place), **each) for place, each in enumerate(told)))

    found, bodies = gathered(ask, by_index)
    assert [each.reward for each in found] == [0.0, 1.0, 2.0]
    assert sorted((body["step"], body.get("evaluate", False)) for body in bodies) == [
        (1, False),
        (1, True),
        (2, False),
    ]


def test_a_copy_is_sent_once_and_answered_as_the_other() -> None:
    async def ask(rewards: GatheredRewards) -> list[Rewarded]:
        return await asyncio.gather(*(rewards.reward(rollout(index)) for index in (1, 2, 1)))

    found, bodies = gathered(ask, by_index)
    assert [each.reward for each in found] == [1.0, 2.0, 1.0]
    assert [len(body["rollouts"]) for body in bodies] == [2]


def test_rollouts_with_other_ground_truths_are_no_copies() -> None:
    async def ask(rewards: GatheredRewards) -> list[Rewarded]:
        truths = (rollout(1, ground_truth=truth) for truth in ("4", "5"))
        return await asyncio.gather(*(rewards.reward(each, evaluate=True) for each in truths))

    _, bodies = gathered(ask, by_index)
    assert [[each["ground_truth"] for each in body["rollouts"]] for body in bodies] == [["4", "5"]]


def test_a_part_that_is_full_goes_at_once() -> None:
    async def ask(rewards: GatheredRewards) -> list[Rewarded]:
        return await asyncio.gather(*(rewards.reward(rollout(index)) for index in range(MOST + 3)))

    found, bodies = gathered(ask, by_index)
    assert [each.reward for each in found if each.reward is not None] == [
        float(index) for index in range(MOST + 3) if index != 3
    ]
    assert sorted(len(body["rollouts"]) for body in bodies) == [3, MOST]


def test_an_error_reaches_each_that_waits_and_the_next_part_is_another() -> None:
    answers = [problem(422, "No", detail="no")]

    def once(body: Any) -> httpx.Response:
        return answers.pop() if answers else by_index(body)

    async def ask(rewards: GatheredRewards) -> tuple[list[Any], Rewarded]:
        calls = (rewards.reward(rollout(index)) for index in range(3))
        return await asyncio.gather(*calls, return_exceptions=True), await rewards.reward(rollout(5))

    (refused, later), _ = gathered(ask, once)
    assert [type(each) for each in refused] == [InvalidRequest] * 3
    assert later.reward == 5.0


def test_one_that_is_given_up_takes_nothing_from_the_others() -> None:
    async def ask(rewards: GatheredRewards) -> Rewarded:
        given_up = asyncio.create_task(rewards.reward(rollout(1)))
        other = asyncio.create_task(rewards.reward(rollout(2)))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        return await other

    assert gathered(ask, by_index)[0].reward == 2.0


def test_what_a_closed_loop_left_holds_nobody_up() -> None:
    """Some frameworks make an event loop for each call, and give calls up."""
    transport = httpx.MockTransport(lambda request: by_index(json.loads(request.content)))
    rewards = GatheredRewards(lambda: AsyncRewardClient("http://service", transport=transport))

    async def left() -> None:
        beside = asyncio.create_task(rewards.reward(rollout(1)))
        await asyncio.sleep(0)
        assert not beside.done()

    async def again() -> Rewarded:
        async with asyncio.timeout(10.0):
            return await rewards.reward(rollout(2))

    asyncio.run(left())
    assert asyncio.run(again()).reward == 2.0
