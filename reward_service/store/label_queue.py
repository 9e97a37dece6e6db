"""Queue labels for teachers: take labels to make, and keep the answers."""

from collections.abc import Collection, Iterable
from typing import TypeAlias

import msgspec

from reward_service.store import label_scripts
from reward_service.store.cohorts import VIEW_LETTERS
from reward_service.store.connection import RedisConnection
from reward_service.store.keys import RunKeys
from reward_service.store.label_records import TeacherLabel, TeacherPrompt, unpack_prompt
from reward_service.store.leases import LeaseQueue, Taken
from reward_service.store.records import packed
from reward_service.store.submissions import StoreLimits

LabelClaim: TypeAlias = tuple[str, str]
"""A run, and a slot of it."""


class LabelRequest(msgspec.Struct, frozen=True):
    """A label that a teacher has taken to make; `rollouts` wait for it."""

    run: str
    slot: str
    question_id: str
    view: int
    prompt: TeacherPrompt
    rollouts: int

    @property
    def claim(self) -> LabelClaim:
        """What it is known by."""
        return self.run, self.slot


class Demand(msgspec.Struct, frozen=True):
    """What is asked of a teacher of some version.

    `most` is how many rollouts wait for the most wanted label that the teacher may give (None: there is none), and
    `too_new` how many labels must wait for a newer version.
    """

    most: int | None
    too_new: int


class LabelQueue(LeaseQueue[LabelClaim, TeacherLabel]):
    """The labels that are asked for, of all runs, for one teacher process.

    Each label has a lease of its own: a run's keys may be on another server of a cluster than the next run's.
    """

    def __init__(self, connection: RedisConnection, limits: StoreLimits, teacher: str, lease_s: float) -> None:
        """`lease_s` is for how long what was taken is this teacher's, unless it says so again."""
        super().__init__(connection, teacher, lease_s)
        self._ttl_ms = max(1, round(limits.retention_s * 1000))

    async def demand(self, run: str, version: int) -> Demand:
        """What is asked of a teacher of this version in a run."""
        keys = RunKeys(run)
        best, too_new = await label_scripts.peek_labels(
            self._connection, asks=keys.asks, prefix=keys.prefix, version=version
        )
        return Demand(None if best < 0 else best, too_new)

    async def take(self, run: str, version: int, most: int) -> Taken[LabelRequest]:
        """At most `most` labels of a run that a teacher of this version may give, the most wanted first."""
        keys = RunKeys(run)
        left, taken = await label_scripts.take_labels(
            self._connection,
            asks=keys.asks,
            taken=keys.taken,
            clock=keys.clock,
            prefix=keys.prefix,
            version=version,
            most=most,
            teacher=self.holder,
            lease_ms=self._lease_ms,
            ttl_ms=self._ttl_ms,
        )
        asked = [
            LabelRequest(
                run,
                slot.decode(),
                question.decode("utf-8", "surrogatepass"),
                VIEW_LETTERS.index(view.decode()),
                unpack_prompt(prompt),
                rollouts,
            )
            for slot, question, view, prompt, rollouts in taken
        ]
        return Taken(asked, left)

    async def renew(self, claims: Collection[LabelClaim]) -> list[LabelClaim]:
        """Says that this teacher is still at work on these; those that it has lost."""
        lost: list[LabelClaim] = []
        for run, slots in _by_run(claims).items():
            keys = RunKeys(run)
            found = await label_scripts.renew_labels(
                self._connection,
                taken=keys.taken,
                clock=keys.clock,
                prefix=keys.prefix,
                teacher=self.holder,
                lease_ms=self._lease_ms,
                slots=slots,
            )
            lost += [(run, slot.decode()) for slot in found]
        return lost

    async def keep(self, claim: LabelClaim, result: TeacherLabel) -> int:
        """Keeps a label; how many batches go on with it."""
        run, slot = claim
        keys = RunKeys(run)
        return await label_scripts.keep_label(
            self._connection,
            slot=keys.slot(slot),
            asks=keys.asks,
            taken=keys.taken,
            jobs=keys.jobs,
            waits=keys.waits,
            clock=keys.clock,
            prefix=keys.prefix,
            slot_name=slot,
            version=result.version,
            record=packed(result),
            ttl_ms=self._ttl_ms,
            teacher=self.holder,
        )

    async def give_back(self, claims: Collection[LabelClaim]) -> None:
        """Others may take these."""
        for run, slots in _by_run(claims).items():
            keys = RunKeys(run)
            await label_scripts.give_back(
                self._connection,
                asks=keys.asks,
                taken=keys.taken,
                prefix=keys.prefix,
                teacher=self.holder,
                ttl_ms=self._ttl_ms,
                slots=slots,
            )

    async def leave(self, claims: Collection[LabelClaim]) -> None:
        """This teacher stops; others may take these at once."""
        await self.give_back(claims)


def _by_run(claims: Iterable[LabelClaim]) -> dict[str, list[str]]:
    slots: dict[str, list[str]] = {}
    for run, slot in claims:
        slots.setdefault(run, []).append(slot)
    return slots
