"""Calibrate the doubt of pairs: `python -m benchmarks.paraphrase_doubt` prints the tables of doubt.py.

Faulty pairs are those with a planted fault, and the good ones beside with a sentence left out; good ones are the pairs
beside, and real pairs, of which a few are faulty. A check whose faults are not planted, or that only warns, is weighed
by the verdicts of docs/paraphrase-verdicts.csv instead. Behind the tables stands how the doubt of each half comes out
where the other half was counted.
"""

import argparse
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.paraphrase_exam import FAULTS, exam_of
from benchmarks.paraphrase_pairs import MATH, SHARED
from benchmarks.paraphrase_readings import VERDICTS, Precision, precisions, read_verdicts
from reward_service.domain.paraphrases.doubt import PRIOR, SCORED
from reward_service.domain.paraphrases.pairs import pair_of
from reward_service.domain.paraphrases.policy import CHECKS, AcceptancePolicy
from reward_service.paraphrasing.audit_findings import Reviewed, review_rows
from reward_service.paraphrasing.pair_files import read_pairs

LIMITS = (-1.0, 0.0, 1.0, 1.75, 3.0, math.inf)
SMOOTHING = 0.5
BINS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Observed:
    """A pair: the checks that object, the score of its coverage, and whether a fault was planted."""

    objecting: frozenset[str]
    score: float
    faulty: bool


@dataclass(frozen=True, slots=True)
class Tables:
    """What doubt.py holds."""

    weights: dict[str, float]
    silence: float
    lacking: list[tuple[float, float]]

    def doubt(self, seen: Observed) -> float:
        """Return the doubt of a pair by these tables."""
        evidence = sum(self.weights[name] for name in seen.objecting) if seen.objecting else self.silence
        evidence += next(weight for limit, weight in self.lacking if seen.score <= limit)
        return 1 / (1 + math.exp(-(math.log(PRIOR / (1 - PRIOR)) + evidence)))


def observed(reviews: Sequence[Reviewed], *, faulty: bool) -> Iterator[Observed]:
    """Yield what is seen of pairs."""
    for each in reviews:
        pair = pair_of(each.row.question, each.row.paraphrase)
        score = pair.coverage.score
        names = {objection.check for objection in each.review.objections}
        yield Observed(frozenset(names - SCORED), score, faulty)


def tables_of(pairs: Sequence[Observed]) -> Tables:
    """Count the tables."""
    quiet = [each for each in pairs if not each.objecting]
    lacking = [
        (limit, _weight(quiet, [low < each.score <= limit for each in quiet]))
        for low, limit in pairwise((-math.inf, *LIMITS))
    ]
    return Tables(
        {
            name: 0.0 if name in SCORED else _weight(pairs, [name in each.objecting for each in pairs])
            for name in CHECKS
        },
        _weight(pairs, [not each.objecting for each in pairs]),
        _rising(lacking),
    )


def _weight(pairs: Sequence[Observed], seen: Sequence[bool]) -> float:
    """Return what a mark says for a fault: the logarithm of its share of faulty pairs over that of good ones."""

    def share(*, faulty: bool) -> float:
        marks = [mark for each, mark in zip(pairs, seen, strict=True) if each.faulty == faulty]
        return (sum(marks) + SMOOTHING) / (len(marks) + 2 * SMOOTHING)

    return math.log(share(faulty=True) / share(faulty=False))


LEAST_PLANTED = 5


def by_verdicts(weights: dict[str, float], pairs: Sequence[Observed], read: Iterable[Precision]) -> None:
    """Replace the weights of checks that warn, or that few planted faults concern, by what a reader said of them."""
    for each in read:
        planted_faults = sum(pair.faulty and each.check in pair.objecting for pair in pairs)
        if each.check not in SCORED and each.read and (CHECKS[each.check].warns or planted_faults < LEAST_PLANTED):
            odds = (each.right + each.other + SMOOTHING) / (each.wrong + SMOOTHING)
            weights[each.check] = math.log(odds * (1 - PRIOR) / PRIOR)


def _rising(lacking: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the weights so that none is below that of a smaller lack."""
    found: list[tuple[float, float]] = []
    for limit, each in lacking:
        found.append((limit, max(each, found[-1][1]) if found else each))
    return found


def crossed(pairs: Sequence[Observed]) -> list[tuple[float, bool]]:
    """Return the doubt of each pair by the tables of the other half."""
    halves = [pairs[::2], pairs[1::2]]
    return [
        (tables_of(other).doubt(each), each.faulty)
        for half, other in ((halves[0], halves[1]), (halves[1], halves[0]))
        for each in half
    ]


def reliability(doubts: Sequence[tuple[float, bool]]) -> Table:
    """Return, for each range of doubt, how many pairs are faulty where a share of PRIOR of all is."""
    faulty, good = sum(bad for _, bad in doubts), sum(not bad for _, bad in doubts)
    table = Table("doubt", "faulty", "good", "mean doubt", "share faulty", box=None)
    for low, high in pairwise(BINS):
        here = [(doubt, bad) for doubt, bad in doubts if low <= doubt < high or (high == 1 and doubt == 1)]
        bad_here, good_here = sum(bad for _, bad in here), sum(not bad for _, bad in here)
        mass = PRIOR * bad_here / faulty, (1 - PRIOR) * good_here / good
        weighted = sum(doubt * (PRIOR / faulty if bad else (1 - PRIOR) / good) for doubt, bad in here)
        mean = weighted / sum(mass) if here else 0.0
        share = mass[0] / sum(mass) if here else 0.0
        table.add_row(f"{low} to {high}", str(bad_here), str(good_here), f"{mean:.2f}", f"{share:.2f}")
    return table


def main() -> None:
    """Count, print the tables, and how they come out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paraphrase_doubt", description=__doc__)
    parser.add_argument("--faults", type=Path, default=SHARED / FAULTS)
    parser.add_argument("--pairs", type=Path, default=SHARED / MATH)
    given = parser.parse_args()
    exam = exam_of(given.faults, given.pairs, 1000)
    pairs = [each for some in exam.faulty.values() for each in observed(some, faulty=True)]
    pairs += [*observed(exam.good, faulty=False), *observed(exam.real, faulty=False)]
    tables = tables_of(pairs)
    verdicts = read_verdicts(VERDICTS)
    read = {question_id for question_id, _ in verdicts}
    rows = [row for row in read_pairs(given.pairs) if row.question_id in read]
    reviews = list(review_rows(rows, AcceptancePolicy(), processes=2))
    by_verdicts(tables.weights, pairs, precisions(reviews, verdicts))
    console = Console(width=120)
    weights = ", ".join(f'"{name}": {weight:.2f}' for name, weight in tables.weights.items())
    lacking = ", ".join(f"({limit}, {weight:.2f})" for limit, weight in tables.lacking).replace("inf", "math.inf")
    for line in (f"WEIGHTS: {weights}", f"SILENCE = {tables.silence:.2f}", f"LACKING = ({lacking})"):
        console.print(line, markup=False, highlight=False)
    console.print(reliability(crossed(pairs)))


if __name__ == "__main__":
    main()
