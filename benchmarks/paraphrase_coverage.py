"""Count how coverage tells left-out sentences: `python -m benchmarks.paraphrase_coverage` prints coverage.py's weights.

Sentences are left out of published paraphrases that the exam does not draw. The weights are those of a logistic
regression on these and on the paraphrases as they are. Behind them stands what the score finds in the other files.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy
from rich.console import Console
from rich.table import Table

from benchmarks.paraphrase_exam import DROPPED, FAULTS, HELD_OUT, LEFT_OUT, exam_of, parts_of, planted_often
from benchmarks.paraphrase_pairs import MATH, SHARED
from reward_service.domain.paraphrases.coverage import Measures, coverage_of
from reward_service.domain.paraphrases.reading import read_text
from reward_service.paraphrasing.audit_findings import Reviewed
from reward_service.paraphrasing.pair_files import PairRow

TIMES = 3
ROUNDS = 30
RIDGE = 1.0
SHARES = (0.005, 0.01, 0.02, 0.04, 0.08)
Features = numpy.ndarray
"""A row for each pair: what the coverage measures, in the order of its fields; shape (pairs, 6)."""


def features_of(pairs: Sequence[tuple[str, str]]) -> Features:
    """Measure how the second text of each pair covers the first."""
    found = [coverage_of(read_text(question), read_text(paraphrase)) for question, paraphrase in pairs]
    return numpy.array([each.measures for each in found])


def regression(good: Features, faulty: Features) -> Features:
    """Return the intercept and the weights that tell faulty rows from good ones, both equally frequent."""
    table = numpy.vstack([good, faulty])
    table = numpy.hstack([numpy.ones((len(table), 1)), table])
    truth = numpy.repeat([0.0, 1.0], [len(good), len(faulty)])
    mass = numpy.where(truth == 1, len(table) / len(faulty), len(table) / len(good)) / 2
    weights = numpy.zeros(table.shape[1])
    for _ in range(ROUNDS):
        chance = 1 / (1 + numpy.exp(-table @ weights))
        slope = table.T @ (mass * (truth - chance)) - RIDGE * weights
        curve = (table * (mass * chance * (1 - chance))[:, None]).T @ table + RIDGE * numpy.eye(len(weights))
        weights += numpy.linalg.solve(curve, slope)
    return weights


def scores(weights: Features, rows: Features) -> Features:
    """Return the logarithms of the odds that something is left out."""
    return weights[0] + rows @ weights[1:]


def table_of(real: Features, columns: dict[str, Features]) -> Table:
    """Return what is above the score that a share of the real pairs exceeds."""
    table = Table("score above", "real pairs", *columns, box=None)
    for share in SHARES:
        least = float(numpy.quantile(real, 1 - share))
        shares = (f"{float((each > least).mean()):.1%}" for each in columns.values() if len(each))
        table.add_row(f"{least:.1f}", f"{share:.1%}", *shares)
    return table


def _left_out(rows: Sequence[PairRow]) -> list[tuple[str, str]]:
    return [(row.question, text) for row, text in planted_often(rows, TIMES)]


def _texts(reviews: Sequence[Reviewed]) -> list[tuple[str, str]]:
    return [(each.row.question, each.row.paraphrase) for each in reviews]


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paraphrase_coverage", description=__doc__)
    parser.add_argument("--pairs", type=Path, default=SHARED / MATH)
    parser.add_argument("--faults", type=Path, default=SHARED / FAULTS)
    given = parser.parse_args()
    rows = parts_of(given.pairs).weighed
    good = features_of([(row.question, row.paraphrase) for row in rows])
    weights = regression(good, features_of(_left_out(rows)))
    console = Console(width=120)
    console.print(f"INTERCEPT = {weights[0]:.2f}", highlight=False)
    told = zip(Measures._fields, weights[1:], strict=True)
    console.print(f"WEIGHTS = Measures({', '.join(f'{name}={each:.2f}' for name, each in told)})", highlight=False)
    exam = exam_of(given.faults, given.pairs, HELD_OUT)
    left_out, others = (_texts(exam.faulty.get(name, ())) for name in (DROPPED, LEFT_OUT))
    real = scores(weights, features_of(_texts(exam.real)))
    console.print(
        table_of(
            real,
            {
                "good": scores(weights, features_of(_texts(exam.good))),
                "a sentence dropped": scores(weights, features_of(left_out)),
                "dropped from the good": scores(weights, features_of(others)),
            },
        )
    )


if __name__ == "__main__":
    main()
