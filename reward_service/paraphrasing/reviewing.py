"""Pairs reviewed in several processes, in their order."""

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import NamedTuple

from reward_service.domain.paraphrases.pair import pair_of
from reward_service.domain.paraphrases.policy import AcceptancePolicy, Review, review
from reward_service.paraphrasing.pair_files import PairRow

BATCH = 128
_AHEAD = 4
"""Batches that wait for each process."""


class Reviewed(NamedTuple):
    """A pair and what became of it."""

    row: PairRow
    review: Review


_Texts = tuple[str, str, str | None]


def review_rows(rows: Iterable[PairRow], policy: AcceptancePolicy, processes: int) -> Iterator[Reviewed]:
    """Each pair with its review. What is in memory does not grow with the file."""
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
    """Runs in another process."""
    return [review(pair_of(*each), policy) for each in texts]
