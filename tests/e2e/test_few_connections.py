"""A client that may hold eight connections, and sends what eight waiting requests alone could never complete."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from uuid import uuid4

import httpx
import pytest
from e2e_proxy import proxy
from e2e_rule import GROUP, Due_R, Rollout, co_rewarding, majority, questions
from e2e_services import Service, assert_one_vote_each, service, suspended

CONNECTIONS = 8
GROUPS = 64
RUN = {"group_size": GROUP, "cohort_deadline_s": 50}


@pytest.fixture(scope="module")
def at() -> Iterator[Service]:
    with service(workers=1, api_processes=2) as made:
        yield made


Call = Callable[[], Awaitable["Call | None"]]
"""One request; its answer may ask for another, later."""


class Client:
    """Sends rollouts by every call of /v1 over a few connections; keeps what each was rewarded."""

    def __init__(self, url: str, run: str, chance: random.Random) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._http = httpx.AsyncClient(base_url=url, limits=limits, timeout=30.0)
        self._run = run
        self._chance = chance
        self.got: dict[Rollout, float | None] = {}

    async def carry_out(self, calls: Sequence[Call]) -> None:
        """Makes all calls in random order, and those that they ask for among the others."""
        todo = list(calls)

        async def hand() -> None:
            while todo:
                call = todo.pop(self._chance.randrange(len(todo)))
                another = await call()
                if another is not None:
                    todo.append(another)

        async with self._http, asyncio.timeout(60.0):
            await asyncio.gather(*(hand() for _ in range(CONNECTIONS)))

    def submit(self, rollouts: Sequence[Rollout], *, complete: bool, indexed: bool = True) -> Call:
        """For a ticket, which is asked for again and again; no question holds its connection for long."""

        async def call() -> Call:
            key = {} if indexed else {"idempotency-key": uuid4().hex}
            answer = await self._http.post("/v1/rollouts", json=self._body(rollouts, complete, indexed), headers=key)
            assert answer.status_code == 202, answer.text
            return self._poll(answer.json()["ticket"], rollouts)

        return call

    def wait(self, rollouts: Sequence[Rollout], *, indexed: bool = True) -> Call:
        """Whole groups in one request, whose answer is waited for."""

        async def call() -> None:
            self._keep(rollouts, await self._http.post("/v1/rewards", json=self._body(rollouts, True, indexed)))

        return call

    def _poll(self, ticket: str, rollouts: Sequence[Rollout]) -> Call:
        async def call() -> Call | None:
            wait_s = self._chance.choice((0.0, 0.05))
            answer = await self._http.get(f"/v1/rewards/{ticket}", params={"wait_s": wait_s})
            if answer.status_code == 202:
                progress = answer.json()
                assert 0 <= progress["settled"] < progress["of"] == len(rollouts)
                return call
            self._keep(rollouts, answer)
            return None

        return call

    def _body(self, rollouts: Sequence[Rollout], complete: bool, indexed: bool) -> dict[str, object]:
        wires = [rollout.wire(indexed=indexed) for rollout in rollouts]
        return {"run": self._run, "complete": complete, "rollouts": wires}

    def _keep(self, rollouts: Sequence[Rollout], answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        self.got |= zip(rollouts, answer.json()["rewards"], strict=True)


async def through_a_counter(at: Service, run: str, seed: int, calls: Callable[[Client], list[Call]]) -> Client:
    """Makes the calls; no more connections were held for them than the client may hold."""
    async with proxy(at.url) as wires:
        client = Client(wires.url, run, random.Random(seed))
        await client.carry_out(calls(client))
        assert wires.most_at_once == CONNECTIONS
        return client


def in_lots(rollouts: Sequence[Rollout], size: int) -> Iterator[Sequence[Rollout]]:
    return (rollouts[first : first + size] for first in range(0, len(rollouts), size))


def rewards(due: Due_R) -> dict[Rollout, float | None]:
    return {rollout: each.reward for rollout, each in due.items()}


@pytest.mark.parametrize("lot", [1, 5])
@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("method", ["majority-voting", "co-rewarding-i"])
def test_parts_are_submitted_and_polled(at: Service, run: str, method: str, indexed: bool, lot: int):
    """Every lot holds rollouts of other groups, so that no request settles anything by itself."""
    alone = method == "majority-voting"
    rollouts = questions(GROUPS, 21, ("original",)) if alone else questions(GROUPS // 2, 21)
    order = random.Random(lot).sample(rollouts, len(rollouts))

    def calls(client: Client) -> list[Call]:
        return [client.submit(some, complete=False, indexed=indexed) for some in in_lots(order, lot)]

    at.make_run(run, method=method, **RUN)
    due = majority if alone else co_rewarding
    client = asyncio.run(through_a_counter(at, run, lot, calls))
    assert client.got == rewards(due(rollouts, indexed=indexed))
    if not alone:
        assert_one_vote_each(at, run, rollouts)


def test_parts_and_batches_together(at: Service, run: str):
    """Whole batches that wait, whole batches with a ticket, and parts, all at once over the same few connections."""
    waited, submitted, parted = (questions(GROUPS // 2, seed) for seed in (31, 32, 33))
    parts = random.Random(34).sample(parted, len(parted))

    def calls(client: Client) -> list[Call]:
        return [
            *(client.submit(some, complete=False) for some in in_lots(parts, 16)),
            *(client.wait(some, indexed=False) for some in in_lots(waited, 2 * GROUP)),
            *(client.submit(some, complete=True) for some in in_lots(submitted, 8 * GROUP)),
        ]

    at.make_run(run, method="co-rewarding-i", **RUN)
    client = asyncio.run(through_a_counter(at, run, 35, calls))
    assert client.got == rewards(co_rewarding([*waited, *submitted, *parted], indexed=True))
    assert {"abstained": 0} | at.stats(run) == {"settled": 3 * GROUPS // 2, "abstained": 0}


def test_a_batch_says_how_far_it_is(at: Service, run: str):
    """Its ticket is asked for while its worker hangs, and again when it has gone on."""
    rollouts = questions(2, 36)
    at.make_run(run, method="co-rewarding-i", **RUN)
    body = {"run": run, "rollouts": [rollout.wire() for rollout in rollouts]}
    (worker,) = at.supervisor.pids("worker")
    with httpx.Client(base_url=at.url, timeout=30.0) as client:
        with suspended(worker):
            ticket = client.post("/v1/rollouts", json=body).raise_for_status().json()["ticket"]
            progress = client.get(f"/v1/rewards/{ticket}").json()
            assert progress == {
                "ticket": ticket,
                "settled": 0,
                "of": len(rollouts),
                "waiting_for": [{"what": "worker"}],
                "waiting_for_more": 0,
            }
        answer = client.get(f"/v1/rewards/{ticket}", params={"wait_s": 20})
    due = co_rewarding(rollouts, indexed=True)
    assert answer.json()["rewards"] == [due[rollout].reward for rollout in rollouts]
