"""Review pairs in several processes, count the objections by check, and choose the pairs to look at first."""

import heapq
import multiprocessing
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from reward_service.domain.paraphrases.pairs import pair_of
from reward_service.domain.paraphrases.policy import CHECKS, AcceptancePolicy, Review, review
from reward_service.paraphrasing.pair_files import PairRow

BATCH = 128
_AHEAD = 4
"""Batches that wait for each process."""


class Reviewed(NamedTuple):
    """A pair with its review."""

    row: PairRow
    review: Review


_Texts = tuple[str, str, str | None]


def review_rows(rows: Iterable[PairRow], policy: AcceptancePolicy, processes: int) -> Iterator[Reviewed]:
    """Yield each pair with its review. The memory used does not grow with the file."""
    if processes == 1:
        yield from (Reviewed(row, review(pair_of(*_texts(row)), policy)) for row in rows)
        return
    # New interpreters: a fork would copy the threads of the progress bar in the state they are in.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting: deque[tuple[list[PairRow], Future[list[Review]]]] = deque()
        for batch in _batches(rows):
            waiting.append((batch, pool.submit(_review_batch, [_texts(row) for row in batch], policy)))
            if len(waiting) > _AHEAD * processes:
                yield from _done(*waiting.popleft())
        while waiting:
            yield from _done(*waiting.popleft())


def _done(batch: list[PairRow], reviews: Future[list[Review]]) -> Iterator[Reviewed]:
    return (Reviewed(row, found) for row, found in zip(batch, reviews.result(), strict=True))


def _batches(rows: Iterable[PairRow]) -> Iterator[list[PairRow]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _texts(row: PairRow) -> _Texts:
    return row.question, row.paraphrase, row.ground_truth


def _review_batch(texts: list[_Texts], policy: AcceptancePolicy) -> list[Review]:
    """Review pairs in another process."""
    return [review(pair_of(*each), policy) for each in texts]


WORST = 12
EXAMPLES = 4


@dataclass(frozen=True, slots=True)
class CheckCount:
    """The number of pairs that a check objects to, and of those that no other check objects to."""

    check: str
    objects: int
    alone: int


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of an audit: `worst` are the pairs of the most doubt, `examples` some of each check."""

    pairs: int
    rejected: int
    counts: Sequence[CheckCount]
    worst: Sequence[Reviewed]
    examples: Sequence[tuple[str, Sequence[Reviewed]]]

    @property
    def headline(self) -> str:
        """Return the result in a sentence."""
        share = self.rejected / self.pairs if self.pairs else 0.0
        return f"{self.pairs:,} pairs, of which the checks reject {self.rejected:,} ({share:.1%})."


_Kept = tuple[float, int, Reviewed]
"""The doubt of a pair, its place in the file from behind, and the pair."""


class AuditTally:
    """Counts reviews as they come. Keeps a fixed number of pairs, whatever their total."""

    def __init__(self) -> None:
        """Begin with no review."""
        self._pairs = self._rejected = 0
        self._objects: Counter[str] = Counter()
        self._alone: Counter[str] = Counter()
        self._worst: list[_Kept] = []
        self._examples: dict[str, list[_Kept]] = {name: [] for name in CHECKS}

    def add(self, reviewed: Reviewed) -> None:
        """Count one more review."""
        names = [objection.check for objection in reviewed.review.objections]
        self._pairs += 1
        self._rejected += not reviewed.review.accepted
        self._objects.update(names)
        if len(names) == 1:
            self._alone.update(names)
        if names or not reviewed.review.accepted:
            _keep(self._worst, reviewed, WORST)
            for name in names:
                _keep(self._examples[name], reviewed, EXAMPLES)

    def findings(self) -> Findings:
        """Return the result of all reviews."""
        counts = [CheckCount(name, self._objects[name], self._alone[name]) for name in CHECKS]
        shown = {reviewed.row.number for reviewed in _sorted(self._worst)}
        examples = [
            (name, [each for each in _sorted(kept) if each.row.number not in shown] or _sorted(kept)[:1])
            for name, kept in self._examples.items()
            if kept
        ]
        return Findings(self._pairs, self._rejected, counts, _sorted(self._worst), examples)


def _keep(kept: list[_Kept], reviewed: Reviewed, most: int) -> None:
    """Keep the pairs of the most doubt, of them the first in the file."""
    entry = (reviewed.review.doubt, -reviewed.row.number, reviewed)
    if len(kept) < most:
        heapq.heappush(kept, entry)
    else:
        heapq.heappushpop(kept, entry)


def _sorted(kept: list[_Kept]) -> list[Reviewed]:
    return [reviewed for *_, reviewed in sorted(kept, key=lambda entry: entry[:2], reverse=True)]
