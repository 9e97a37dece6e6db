"""What a state machine needs of a server: an event loop, links in virtual time, and ears on the replicas' channels."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar
from uuid import uuid4

from co_rewarding_schema.vocabulary import Conventions
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from reward_service.grading.verdicts import Classes, Matches
from reward_service.store.connection import Reply
from reward_service.store.keys import RUNS
from reward_service.store.records import ABSTENTIONS, BallotRow, unpack_cohort
from reward_service.store.server_replies import open_connection
from tests.contract.cohort_model import Record
from tests.contract.election_model import Elected, Vote, answer_class
from tests.contract.virtual_time import TimedConnection

Value = TypeVar("Value")

EPOCH_MS = 1_800_000_000_000
"""When the model's time begins."""

LONG = "MACHINE_EXAMPLES"
"""The environment variable that asks for so many histories of each kind, drawn anew, instead of the few that are the
same each time."""

SHRINK = "MACHINE_SHRINK"
"""The environment variable that asks for the shortest history that fails, which may take minutes."""


class PlainGrader:
    """4.0 is 4, and any other two texts are two answers."""

    async def classify(self, answers: Collection[str], conventions: Conventions) -> Classes:
        return Classes({answer: answer_class(answer) for answer in answers})

    async def match(self, truth: str, answers: Collection[str], conventions: Conventions) -> Matches:
        return Matches(frozenset(each for each in answers if answer_class(each) == answer_class(truth)))


class Ears:
    """One subscriber for all replicas: who listens, and what each of them has heard."""

    def __init__(self, url: str, connection: TimedConnection) -> None:
        """Hears nothing yet."""
        self._subscriber = open_connection(url)
        self._connection = connection
        self._mark = f"mark:{uuid4().hex}"

    async def open(self) -> None:
        """Connects."""
        await self._subscriber.connect()
        await self._say("SUBSCRIBE", self._mark)

    async def listen(self, channel: str) -> None:
        """A replica listens on its channel."""
        await self._say("SUBSCRIBE", channel)

    async def turn_away(self, channel: str) -> None:
        """It is not there any more."""
        await self._say("UNSUBSCRIBE", channel)

    async def heard(self) -> list[tuple[str, bytes]]:
        """Channel and message of all that was published since the last time."""
        await self._connection.execute("PUBLISH", self._mark, b"")
        messages: list[tuple[str, bytes]] = []
        while True:
            _, channel, message = await self._read()
            if channel.decode() == self._mark:
                return messages
            messages.append((channel.decode(), message))

    async def close(self) -> None:
        """Disconnects."""
        await self._subscriber.disconnect(nowait=True)

    async def _say(self, command: str, channel: str) -> None:
        """Nothing may have been published meanwhile: what was heard is read after each step."""
        await self._subscriber.send_command(command, channel)
        kind, name, _ = await self._read()
        assert (kind.lower(), name) == (command.lower().encode(), channel.encode())

    async def _read(self) -> Reply:
        return await asyncio.wait_for(self._subscriber.read_response(disconnect_on_error=False), 30)


class Bench:
    """A server as the machines see it, one example after the other."""

    def __init__(self, url: str, changed: Callable[[str], str] = str) -> None:
        """Opens links to a server that runs; `changed` may change each script on its way there."""
        self._loop = asyncio.new_event_loop()
        self.connection = TimedConnection(url, changed)
        self.reading = TimedConnection(url, changed)
        self.ears = Ears(url, self.connection)
        self.do(self.ears.open())

    def do(self, work: Awaitable[Value]) -> Value:
        """What the awaitable comes to."""
        return self._loop.run_until_complete(work)

    def all(self, *work: Awaitable[Any]) -> list[Any]:
        """The same for several that travel together."""

        async def wait() -> list[Any]:
            return list(await asyncio.gather(*work))

        return self.do(wait())

    def forget(self, run: str) -> None:
        """Deletes what there is of a run."""
        self.all(self.connection.forget_run(run), self.connection.execute("ZREM", RUNS, run))

    def close(self) -> None:
        """Ends the links."""
        self.do(self.ears.close())
        self.all(self.connection.close(), self.reading.close())
        self._loop.close()


def play(machine: Any, url: str, changed: Callable[[str], str] = str, examples: int = 20) -> None:
    """Histories of a machine on a server, whose scripts may be changed on their way there."""
    machine.bench = Bench(url, changed)
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=int(os.environ.get(LONG, examples)),
                stateful_step_count=50,
                deadline=None,
                derandomize=LONG not in os.environ,
                database=None,
                phases=[Phase.generate, *([Phase.shrink] if SHRINK in os.environ else [])],
                report_multiple_bugs=False,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        machine.bench.close()


def row_of(vote: Vote) -> BallotRow:
    """A vote of a policy as it is stored."""
    return BallotRow("op".index(vote.view), 0, vote.rollout, vote.answer, counted=vote.counted)


def vote_of(row: BallotRow) -> Vote:
    """A stored ballot in the model's words."""
    return Vote("op"[row.view], row.rollout, row.answer, counted=row.counted)


def record_as_modelled(data: bytes) -> Record:
    """A stored record in the model's words, without the time at which it is forgotten."""
    record = unpack_cohort(data)
    assert len(set(record.ids_B)) == len(record.ids_B), "each ballot is rewarded once"
    reasons = [ABSTENTIONS[reason].value if reason >= 0 else None for reason in record.abstentions_B]
    assert [reward is None for reward in record.rewards_B] == [reason is not None for reason in reasons]
    ids = record.ids_B
    return Record(
        record.state,
        {"op"[label.view]: Elected(label.answer, label.votes, label.of) for label in record.labels},
        dict(zip(ids, map(vote_of, record.rows_B), strict=True)),
        dict(zip(ids, record.rewards_B, strict=True)),
        dict(zip(ids, reasons, strict=True)),
        0,
        record.group_sizes,
    )
