"""A peer that has died, and one that is named only when it has sent its rollouts."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.api.peer_runs import SOON_S, World, body, group
from tests.support.service import pair, running
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running() as supervisor:
        yield World(supervisor.url)


def test_a_peer_that_has_died_costs_one_deadline(world: World) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other], peer_absent="own-view", cohort_deadline_s=2 * SOON_S)
    world.put(other, "majority-voting")
    world.send(other, group("555"), step=0)
    assert world.send(one, group("445"), step=0)["rewards"] == [0, 0, 1]
    assert world.run(one)["absent_peers"] is None
    assert world.send(one, group("445"), step=1)["rewards"] == [1, 1, 0], "it has waited in vain"
    assert world.run(one)["absent_peers"] == [other]
    assert f'co_rewarding_peer_absent{{peer="{other}",run="{one}"}} 1.0' in world.client.get("/metrics").text
    for step in (2, 3):
        asked = world.client.post("/v1/rollouts", json=body(one, group("445"), step=step, complete=step == 2))
        ticket = asked.raise_for_status().json()["ticket"]
        assert "peer" not in world.awaited_until_rewarded(ticket)
        assert world.rewards(ticket)["rewards"] == [1, 1, 0]
    world.send(other, group("555"), step=4)
    assert world.run(one)["absent_peers"] is None
    asked = world.pending(one, group("445"), step=5)
    wait_until(lambda: world.waiting(asked["ticket"])[0]["what"] == "peer")
    assert "co_rewarding_peer_absent{" not in world.client.get("/metrics").text


def test_a_peer_that_is_named_late_has_voted(world: World) -> None:
    other = world.put(f"b-{uuid4().hex[:8]}", "majority-voting")
    world.send(other, group("554"), step=0)
    for each in group("665"):
        world.send(other, [each], step=1, complete=False, wait_s=0.0)
    world.send(other, pair("q", ["4", "4", "4"], ["7", "7", "8"]), step=2)
    world.send(other, group("444", attempt=1), step=3)
    world.send(other, group("555"), step=3)
    world.send(other, [each | {"question_id": "another"} for each in group("999")], step=4)
    one = world.put(f"a-{uuid4().hex[:8]}", peers=[other])
    assert world.send(one, group("445"), step=0)["rewards"] == [0, 0, 1]
    assert world.send(one, group("456"), step=1)["rewards"] == [0, 0, 1]
    both = world.send(one, pair("q", ["4", "5", "6"], ["7", "8", "9"]), step=2)
    assert both["rewards"] == [1, 0, 0, 1, 0, 0]
    assert [world.answers_by_peer(label["cohort"]) for label in both["labels"]] == [{other: "444"}, {other: "778"}]
    assert world.send(one, group("445"), step=3)["rewards"] == [1, 1, 0], "the higher attempt"
    asked = world.pending(one, group("445"), step=4)
    wait_until(lambda: world.waiting(asked["ticket"])[0]["what"] == "peer")
    world.send(other, group("555"), step=4)
    assert world.rewards(asked["ticket"])["rewards"] == [0, 0, 1]


def test_several_runs_find_what_a_peer_has_sent(world: World) -> None:
    other = world.put(f"b-{uuid4().hex[:8]}", "majority-voting")
    for key in ("one", "two"):  # without indices, the place in the group stands for one
        sent = [{name: each[name] for name in ("question_id", "view", "response")} for each in group("554")]
        answer = world.client.post("/v1/rewards", json=body(other, sent), headers={"Idempotency-Key": key})
        assert answer.raise_for_status().json()["labels"][0]["of"] == 3
    for _ in range(2):
        one = world.put(f"a-{uuid4().hex[:8]}", peers=[other])
        label = world.send(one, group("445"))["labels"][0]
        assert (label["answer"], label["votes"], label["of"]) == ("5", 2, 3)
