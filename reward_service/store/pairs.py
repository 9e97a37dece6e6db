"""Keep pairs in Redis: the observations of each question's two views, and the pairs in quarantine."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reward_service.domain.quarantine import Base, DisagreementRules, PairRecord, weights
from reward_service.store import run_scripts
from reward_service.store.connection import Argument, RedisConnection
from reward_service.store.keys import RUN_TTL_MS, RunKeys

MOST_PAIRS = 1_000_000
"""Of one run; a pair that comes when so many are known is not watched, so that ids without end take no memory."""


class Observation(NamedTuple):
    """A question whose two views have just been labelled, both firmly, and whether the labels disagree."""

    question_id: str
    disagrees: bool


class Changes(NamedTuple):
    """How many pairs came into quarantine, and how many were released."""

    accused: int
    acquitted: int


@dataclass(frozen=True, slots=True)
class Suspects:
    """The state of a run's watch: the base of its other pairs, and those in quarantine, the most certain first."""

    base: Base
    seen: int
    quarantined: int
    records: Mapping[str, PairRecord]


class PairStore:
    """What is known of pairs, by run. Forgotten with the run."""

    def __init__(self, connection: RedisConnection, watch: DisagreementRules, most_pairs: int = MOST_PAIRS) -> None:
        """Over an open connection."""
        self._connection = connection
        self._most_pairs = most_pairs
        self.watch = watch

    async def quarantined(self, run: str, questions: Sequence[str]) -> frozenset[str]:
        """Those of the questions whose pairs are in quarantine."""
        if not questions:
            return frozenset()
        scores = await self._connection.execute("ZMSCORE", RunKeys(run).quarantined, *map(_name, questions))
        return frozenset(question for question, score in zip(questions, scores, strict=True) if score is not None)

    async def observe(self, run: str, observations: Collection[Observation]) -> Changes:
        """Adds observations to what is known."""
        if not observations:
            return Changes(0, 0)
        keys, watch = RunKeys(run), self.watch
        weight = weights(await self._base(run), watch)
        in_order: list[Argument] = []
        for question, disagrees in observations:
            in_order += [_name(question), int(disagrees)]
        changes = await run_scripts.observe_pairs(
            self._connection,
            pairs_seen=keys.pairs,
            base=keys.pairs_base,
            quarantined=keys.quarantined,
            ttl_ms=RUN_TTL_MS,
            kept=1.0 - 1.0 / watch.horizon,
            against=weight.disagreement,
            in_favour=weight.agreement,
            accuse_at=watch.accuse_at,
            most=watch.most,
            most_pairs=self._most_pairs,
            observations=in_order,
        )
        return Changes(*changes)

    async def suspects(self, run: str, most: int) -> Suspects:
        """The state of a run's watch, with at most so many pairs of the quarantine."""
        keys = RunKeys(run)
        names: list[bytes] = await self._connection.execute("ZREVRANGE", keys.quarantined, 0, most - 1)
        texts: list[bytes | None] = await self._connection.execute("HMGET", keys.pairs, *names) if names else []
        records = {
            name.decode("utf-8", "surrogatepass"): _record(text)
            for name, text in zip(names, texts, strict=True)
            if text
        }
        seen = await self._connection.execute("HLEN", keys.pairs)
        return Suspects(await self._base(run), seen, await self._connection.execute("ZCARD", keys.quarantined), records)

    async def record(self, run: str, question: str) -> PairRecord | None:
        """What was seen of a pair; None if nothing was."""
        text = await self._connection.execute("HGET", RunKeys(run).pairs, _name(question))
        return _record(text) if text else None

    async def forget(self, run: str, question: str) -> bool:
        """Forgets what was seen of a pair, which is then as new: it has another paraphrase. Whether there was any."""
        keys = RunKeys(run)
        await self._connection.execute("ZREM", keys.quarantined, _name(question))
        return bool(await self._connection.execute("HDEL", keys.pairs, _name(question)))

    async def _base(self, run: str) -> Base:
        seen, disagreed = await self._connection.execute("HMGET", RunKeys(run).pairs_base, "seen", "disagreed")
        return Base(float(seen or 0.0), float(disagreed or 0.0))


def _name(question: str) -> bytes:
    return question.encode("utf-8", "surrogatepass")


def _record(text: bytes) -> PairRecord:
    seen, disagreed, evidence, held = text.split()
    return PairRecord(int(seen), int(disagreed), float(evidence), held == b"1")
