"""Ask for the teacher's labels, and find which requests wait for which label: the API's side of Redis."""

import asyncio
from collections.abc import Sequence

import msgspec

from reward_service.store import label_scripts
from reward_service.store.cohorts import VIEW_LETTERS, most_open, parse_batch
from reward_service.store.connection import Argument, RedisConnection
from reward_service.store.job_records import CastOf
from reward_service.store.keys import RunKeys
from reward_service.store.label_records import TeacherLabel, TeacherPrompt, unpack_label
from reward_service.store.records import packed
from reward_service.store.submissions import Refusal, Refused, Revised, StoredBatch, StoreLimits

DUE_AT_ONCE = 500


class WantedLabel(msgspec.Struct, frozen=True):
    """A label that a batch waits for.

    Attributes:
        need: the oldest version that may give it; None for the newest whose weights were announced.
        rollouts: how many rollouts of the batch wait for it; none where only its text is told.
        prompt: what the teacher is asked, where the request says it.
        told: whether it must be known by now: nobody else can say how a rollout's own view is worded.
    """

    slot: str
    question_id: str
    view: int
    need: int | None
    rollouts: int
    prompt: TeacherPrompt | None
    told: bool


class Coming(msgspec.Struct, frozen=True):
    """A question that is announced: what the teacher is asked for one of its views."""

    slot: str
    question_id: str
    view: int
    prompt: TeacherPrompt


class LabelStore:
    """What the API asks of Redis about labels. Every call is atomic and may be repeated."""

    def __init__(self, connection: RedisConnection, limits: StoreLimits, channel: str) -> None:
        """`channel` is where this replica is woken."""
        self._connection = connection
        self._limits = limits
        self._channel = channel

    async def submit(
        self,
        run: str,
        batch: str,
        fingerprint: str,
        payload: bytes,
        at: Revised,
        count: int,
        wanted: Sequence[WantedLabel],
        cast: CastOf | None = None,
    ) -> StoredBatch | Refused:
        """Remembers a batch; it is queued as soon as each label that it wants is there, or at its deadline.

        `cast` is as for `CohortStore.submit`.
        """
        keys = RunKeys(run)
        patience_s = at.settings.cohort_deadline_s
        in_order: list[Argument] = []
        for each in wanted:
            need = "" if each.need is None else each.need
            prompt = b"" if each.prompt is None else packed(each.prompt)
            in_order += [each.slot, each.question_id.encode("utf-8", "surrogatepass"), VIEW_LETTERS[each.view]]
            in_order += [need, each.rollouts, prompt, int(each.told)]
        answer = await label_scripts.submit_taught(
            self._connection,
            batch=keys.batch(batch),
            jobs=keys.jobs,
            settings=keys.settings,
            teacher=keys.teacher,
            waits=keys.waits,
            asks=keys.asks,
            taken=keys.taken,
            waiting=keys.waiting(batch),
            ticket=keys.ticket(batch),
            clock=keys.clock,
            slot_keys=[keys.slot(each.slot) for each in wanted],
            name=batch,
            fingerprint=fingerprint,
            payload=payload,
            revision=at.revision,
            most_jobs=self._limits.jobs,
            ttl_ms=_ms(self._limits.retention_s + patience_s),
            replica=self._channel,
            rollouts=count,
            most_waiting=most_open(self._limits, at),
            patience_ms=_ms(patience_s),
            cast=str(cast or CastOf()),
            wanted=in_order,
        )
        match answer[0]:
            case b"new":
                return StoredBatch(fingerprint, None, count)
            case b"known":
                return parse_batch(answer[1], fingerprint)
            case b"untold":
                return Refused(Refusal.UNTOLD, about=answer[1].decode("utf-8", "surrogatepass"))
            case _:
                return Refused(Refusal(answer[0].decode()))

    async def prefetch(self, run: str, need: int | None, coming: Sequence[Coming]) -> int:
        """Asks for labels that nobody waits for yet; how many questions there were."""
        keys = RunKeys(run)
        in_order: list[Argument] = []
        for each in coming:
            question = each.question_id.encode("utf-8", "surrogatepass")
            in_order += [each.slot, question, VIEW_LETTERS[each.view], packed(each.prompt)]
        return await label_scripts.prefetch(
            self._connection,
            teacher=keys.teacher,
            asks=keys.asks,
            taken=keys.taken,
            slot_keys=[keys.slot(each.slot) for each in coming],
            ttl_ms=_ms(self._limits.retention_s),
            need="" if need is None else need,
            coming=in_order,
        )

    async def labels(self, run: str, slots: Sequence[str]) -> list[TeacherLabel | None]:
        """The newest label of each slot; None where there is none."""
        return await labels_in(self._connection, run, slots)


async def labels_in(connection: RedisConnection, run: str, slots: Sequence[str]) -> list[TeacherLabel | None]:
    """The newest label of each slot; None where there is none."""
    keys = RunKeys(run)
    found = await asyncio.gather(*(connection.execute("HGET", keys.slot(slot), "r") for slot in slots))
    return [None if data is None else unpack_label(data) for data in found]


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
