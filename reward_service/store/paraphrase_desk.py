"""The paraphraser's side of jobs in Redis: questions to take, outcomes to keep."""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from reward_service.domain.paraphrases.rewriting import Outcome
from reward_service.store import paraphrase_scripts as scripts
from reward_service.store.connection import Argument, RedisConnection
from reward_service.store.paraphrases import (
    KEYS,
    JobOrder,
    JobQuestion,
    ParaphraserPresence,
    decode_order,
    unpack_item,
)

Claim = tuple[str, int]
"""A job, and the index of a question in it."""


class TakenQuestion(msgspec.Struct, frozen=True):
    """A question that a paraphraser has taken."""

    job: str
    index: int
    order: JobOrder
    item: JobQuestion

    @property
    def claim(self) -> Claim:
        """What it is known by."""
        return self.job, self.index


class TakenQuestions(msgspec.Struct, frozen=True):
    """What a paraphraser got, and how many questions dead ones had left."""

    questions: list[TakenQuestion]
    left: int


class ParaphraseDesk:
    """For one paraphraser process. What it takes is its own while it renews; `lease_s` after that it is others'."""

    def __init__(self, connection: RedisConnection, paraphraser: str, lease_s: float) -> None:
        """Over an open connection."""
        self._connection = connection
        self.paraphraser = paraphraser
        self._lease_ms = max(1, round(lease_s * 1000))
        # What is in hand is known only between takes: a renewal meanwhile would give back what has just been taken.
        self._knowing = asyncio.Lock()
        self._in_hand: set[Claim] = set()

    async def take(self, most: int) -> TakenQuestions:
        """At most `most` questions: of jobs that somebody waits for first, of the others in turn."""
        async with self._knowing:
            left, taken = await scripts.take_paraphrases(
                self._connection, **KEYS, worker=self.paraphraser, most=most, lease_ms=self._lease_ms
            )
            orders = {text: decode_order(text) for text in {row[1] for row in taken}}
            questions = [
                TakenQuestion(job.decode(), index, orders[text], unpack_item(item)) for job, text, index, item in taken
            ]
            self._in_hand.update(each.claim for each in questions)
        return TakenQuestions(questions, left)

    async def renew(self, presence: ParaphraserPresence) -> list[str]:
        """Says that this paraphraser is there and at work; the jobs in hand that nobody wants any more."""
        async with self._knowing:
            unwanted = await scripts.renew_paraphrases(
                self._connection,
                **KEYS,
                worker=self.paraphraser,
                lease_ms=self._lease_ms,
                presence=msgspec.json.encode(presence),
                claims=_flat(self._in_hand),
            )
        return [job.decode() for job in unwanted]

    async def keep(self, claim: Claim, outcome: Outcome, counted: Iterable[str]) -> bool:
        """Keeps an outcome, and adds one to each of the counts; False if there is one already, or nobody wants it."""
        job, index = claim
        kept = await scripts.keep_paraphrase(
            self._connection,
            **KEYS,
            job=job,
            index=index,
            outcome=msgspec.msgpack.encode(outcome),
            counted=list(counted),
        )
        self._in_hand.discard(claim)
        return bool(kept)

    async def claim_text(self, job: str, text: bytes, question: bytes) -> bool:
        """Note that a text is the second view of a question of a job; False if it is another question's already."""
        return bool(await scripts.claim_text(self._connection, **KEYS, job=job, text=text, question=question))

    async def give_back(self, claims: Sequence[Claim]) -> None:
        """Others may take these."""
        self._in_hand.difference_update(claims)
        await scripts.return_paraphrases(self._connection, **KEYS, worker=self.paraphraser, claims=_flat(claims))

    def drop(self, claim: Claim) -> None:
        """This is not worked on any more; the next renewal says so."""
        self._in_hand.discard(claim)

    async def leave(self) -> None:
        """This paraphraser stops; others may take what it has at once."""
        await scripts.leave_paraphrases(self._connection, **KEYS, worker=self.paraphraser)


def _flat(claims: Iterable[Claim]) -> list[Argument]:
    return [word for claim in claims for word in claim]
