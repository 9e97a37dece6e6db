"""Keep the state of each run's teacher in Redis: announced weights, the average's version, living teachers."""

from dataclasses import dataclass

import msgspec

from reward_service.store import label_scripts
from reward_service.store.connection import RedisConnection, as_dict
from reward_service.store.keys import RUN_TTL_MS, RunKeys
from reward_service.store.scripts import Stopwatch

SEEN_LATELY_S = 10.0
LATELY_MS = round(SEEN_LATELY_S * 1000)


class AnnouncedWeights(msgspec.Struct, array_like=True, frozen=True):
    """Weights of one step: a folder below the weights root, and what its contents must hash to, if that was said."""

    step: int
    path: str
    sha256: str | None = None


class TeacherPresence(msgspec.Struct, frozen=True):
    """What one teacher process says of itself in a run, once in a while."""

    model: str
    version: int
    busy: int
    waiting_for: str | None


@dataclass(frozen=True, slots=True)
class TeacherStanding:
    """Where the teacher of a run stands.

    Attributes:
        accepted: the step of the newest weights that were announced; None before the first.
        version: the step of the newest weights in the average.
        alpha: what the average kept of itself at its last update; None before the first.
        refused: why weights that were announced could not be taken; None if the last ones were.
        queue: labels that are asked for or being made.
        waiting: rollouts' batches that wait for labels.
        teachers: the processes that serve the run and were seen lately.
    """

    accepted: int | None
    version: int
    alpha: float | None
    refused: str | None
    tensors: bytes | None
    queue: int
    waiting: int
    teachers: tuple[TeacherPresence, ...]


class TeacherStore:
    """Standings by run."""

    def __init__(self, connection: RedisConnection) -> None:
        """Over an open connection."""
        self._connection = connection
        self._unseen = Stopwatch()

    async def accepted(self, run: str) -> int | None:
        """The step of the newest weights that were announced."""
        step = await self._connection.execute("HGET", RunKeys(run).teacher, "accepted")
        return None if step is None else int(step)

    async def announce(self, run: str, accepted: int | None, alpha: float, weights: AnnouncedWeights) -> float | None:
        """Queues new weights, if `accepted` is still the last step; the α they are taken with, None if it is not.

        The same step again is known, and has the α that it had.
        """
        keys = RunKeys(run)
        answer = await label_scripts.announce(
            self._connection,
            teacher=keys.teacher,
            updates=keys.updates,
            seen="" if accepted is None else str(accepted),
            step=str(weights.step),
            alpha=repr(alpha),
            update=msgspec.msgpack.encode(weights),
            ttl_ms=RUN_TTL_MS,
        )
        return None if answer[0] == b"moved" else float(answer[1])

    async def updates(self, run: str) -> list[AnnouncedWeights]:
        """Weights that are not in the average yet, in order of their steps."""
        found = await self._connection.execute("ZRANGE", RunKeys(run).updates, 0, -1)
        return [msgspec.msgpack.decode(each, type=AnnouncedWeights) for each in found]

    async def advance(self, run: str, version: int, alpha: float | None) -> None:
        """The average stands at a version now: updates up to it are done."""
        keys = RunKeys(run)
        shown = "" if alpha is None else repr(alpha)
        await label_scripts.advance(
            self._connection,
            teacher=keys.teacher,
            updates=keys.updates,
            version=version,
            alpha=shown,
            ttl_ms=RUN_TTL_MS,
        )

    async def version(self, run: str) -> int:
        """The step of the newest weights in the average, as teachers may load it."""
        return int(await self._connection.execute("HGET", RunKeys(run).teacher, "version") or 0)

    async def restate(self, run: str, version: int) -> None:
        """The average stands at an older version than was said: what held the newer one is lost."""
        await self._connection.execute("HSET", RunKeys(run).teacher, "version", version)

    async def refuse(self, run: str, weights: AnnouncedWeights, why: str) -> None:
        """These weights cannot be taken: the next ones stand for their step too."""
        keys = RunKeys(run)
        await self._connection.execute("HSET", keys.teacher, "refused", f"step {weights.step}: {why}"[:2000])
        await self._connection.execute("ZREMRANGEBYSCORE", keys.updates, weights.step, weights.step)

    async def describe(self, run: str, tensors: bytes) -> None:
        """Keeps what weights of this run must look like, so that others are refused at the door."""
        await self._connection.execute("HSET", RunKeys(run).teacher, "tensors", tensors)
        await self._connection.execute("PEXPIRE", RunKeys(run).teacher, RUN_TTL_MS)

    async def say(self, run: str, teacher: str, presence: TeacherPresence) -> None:
        """A teacher process serves this run."""
        keys = RunKeys(run)
        await label_scripts.say_teacher(
            self._connection,
            teachers=keys.teachers,
            standing=keys.teacher,
            clock=keys.clock,
            teacher=teacher,
            presence=msgspec.json.encode(presence),
            lately_ms=LATELY_MS,
            ttl_ms=RUN_TTL_MS,
        )

    async def seen(self, run: str) -> tuple[TeacherPresence, ...]:
        """The processes that serve this run and were seen lately."""
        keys = RunKeys(run)
        said = await label_scripts.meet_teachers(
            self._connection,
            teachers=keys.teachers,
            clock=keys.clock,
            lately_ms=LATELY_MS,
            unseen_ms=self._unseen.lap_ms(),
        )
        return tuple(msgspec.json.decode(each, type=TeacherPresence) for each in said)

    async def leave(self, run: str, teacher: str) -> None:
        """It does no longer."""
        await self._connection.execute("HDEL", RunKeys(run).teachers, teacher)

    async def standing(self, run: str) -> TeacherStanding:
        """Where the run's teacher stands."""
        keys = RunKeys(run)
        kept = as_dict(await self._connection.execute("HGETALL", keys.teacher))
        alpha = kept.get(b"alpha")
        queue = await self._connection.execute("ZCARD", keys.asks) + await self._connection.execute("ZCARD", keys.taken)
        return TeacherStanding(
            accepted=int(kept[b"accepted"]) if b"accepted" in kept else None,
            version=int(kept.get(b"version", b"0")),
            alpha=float(alpha) if alpha else None,
            refused=kept[b"refused"].decode(errors="replace") if b"refused" in kept else None,
            tensors=kept.get(b"tensors"),
            queue=queue,
            waiting=await self._connection.execute("ZCARD", keys.waits),
            teachers=await self.seen(run),
        )
