"""Queue questions for paraphrasers: take questions, and keep outcomes."""

from collections.abc import Collection, Iterable
from typing import NamedTuple, TypeAlias

import msgspec

from reward_service.domain.paraphrases.rewriting import Outcome
from reward_service.store import paraphrase_scripts as scripts
from reward_service.store.connection import Argument
from reward_service.store.leases import LeaseQueue, Taken
from reward_service.store.paraphrases import (
    KEYS,
    JobOrder,
    JobQuestion,
    ParaphraserPresence,
    decode_order,
    unpack_item,
)

QuestionClaim: TypeAlias = tuple[str, int]
"""A job, and the index of a question in it."""


class TakenQuestion(msgspec.Struct, frozen=True):
    """A question that a paraphraser has taken."""

    job: str
    index: int
    order: JobOrder
    item: JobQuestion

    @property
    def claim(self) -> QuestionClaim:
        """What it is known by."""
        return self.job, self.index


class CountedOutcome(NamedTuple):
    """An outcome, and the counts that it adds one to, each as often as it is named."""

    outcome: Outcome
    counts: Collection[str]


class QuestionQueue(LeaseQueue[QuestionClaim, CountedOutcome]):
    """The questions of all jobs, for one paraphraser process.

    All that it has is under the one lease of the paraphraser, whose renewal says what that is: what it does not name
    was taken in an answer that was lost, and is free again.
    """

    async def take(self, most: int) -> Taken[TakenQuestion]:
        """At most `most` questions: of jobs that somebody waits for first, of the others in turn."""
        left, taken = await scripts.take_paraphrases(
            self._connection, **KEYS, worker=self.holder, most=most, lease_ms=self._lease_ms
        )
        orders = {text: decode_order(text) for text in {row[1] for row in taken}}
        questions = [
            TakenQuestion(job.decode(), index, orders[text], unpack_item(item)) for job, text, index, item in taken
        ]
        return Taken(questions, left)

    async def renew(self, claims: Collection[QuestionClaim], presence: ParaphraserPresence) -> list[QuestionClaim]:
        """Says that this paraphraser is there and has these, all of them; those that nobody wants any more."""
        unwanted = await scripts.renew_paraphrases(
            self._connection,
            **KEYS,
            worker=self.holder,
            lease_ms=self._lease_ms,
            presence=msgspec.json.encode(presence),
            claims=_flat(claims),
        )
        jobs = {job.decode() for job in unwanted}
        return [claim for claim in claims if claim[0] in jobs]

    async def keep(self, claim: QuestionClaim, result: CountedOutcome) -> bool:
        """Keeps an outcome and counts it; False if there is one already, or nobody wants it."""
        job, index = claim
        kept = await scripts.keep_paraphrase(
            self._connection,
            **KEYS,
            job=job,
            index=index,
            outcome=msgspec.msgpack.encode(result.outcome),
            counted=list(result.counts),
        )
        return bool(kept)

    async def claim_text(self, job: str, text: bytes, question: bytes) -> bool:
        """Notes that a text is the second view of a question of a job; False if it is another question's already."""
        return bool(await scripts.claim_text(self._connection, **KEYS, job=job, text=text, question=question))

    async def give_back(self, claims: Collection[QuestionClaim]) -> None:
        """Others may take these."""
        await scripts.return_paraphrases(self._connection, **KEYS, worker=self.holder, claims=_flat(claims))

    async def leave(self, claims: Collection[QuestionClaim] = ()) -> None:
        """This paraphraser stops; others may take at once whatever it has, named or not."""
        await scripts.leave_paraphrases(self._connection, **KEYS, worker=self.holder)


def _flat(claims: Iterable[QuestionClaim]) -> list[Argument]:
    return [word for claim in claims for word in claim]
