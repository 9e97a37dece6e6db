"""Measure how precise each check is, by a reader's verdicts: `python -m benchmarks.paraphrase_readings FILE ...`.

The verdicts are in docs/paraphrase-verdicts.csv: `right` where the pair is faulty as the check says, `other` where it
is faulty in another way, `wrong` where it is a good pair. `--draw CHECK` prints a sample of a check's objections to be
read; `--draw none` one of the pairs that no check objects to, whose verdict is `right` where the pair is good.
"""

import argparse
import csv
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from reward_service.domain.paraphrases.policy import CHECKS, AcceptancePolicy
from reward_service.paraphrasing.audit_findings import Reviewed, review_rows
from reward_service.paraphrasing.pair_files import read_pairs

SEED = 20250729
VERDICTS = Path(__file__).parents[1] / "docs" / "paraphrase-verdicts.csv"
NONE = "none"
"""In the place of a check: no check objects."""


@dataclass(frozen=True, slots=True)
class Precision:
    """What the verdicts say of a check that objects to `flagged` of `pairs` pairs."""

    check: str
    flagged: int
    pairs: int
    right: int
    other: int
    wrong: int

    @property
    def read(self) -> int:
        """How many of the flagged pairs have a verdict."""
        return self.right + self.other + self.wrong

    @property
    def good_share(self) -> float:
        """An upper estimate of the share of good pairs that it flags: as if all that it does not flag were good."""
        wrongly = self.flagged * self.wrong / max(self.read, 1)
        return wrongly / max(self.pairs - self.flagged + wrongly, 1)


def precisions(reviews: Sequence[Reviewed], verdicts: Mapping[tuple[str, str], str]) -> Iterator[Precision]:
    """One for each check that objects to anything."""
    for check in CHECKS:
        flagged = objected(reviews, check)
        counts = Counter(verdicts.get((each.row.question_id, check), "") for each in flagged)
        if flagged:
            yield Precision(check, len(flagged), len(reviews), counts["right"], counts["other"], counts["wrong"])


def objected(reviews: Sequence[Reviewed], check: str) -> list[Reviewed]:
    """The pairs that a check objects to, or those that none does."""
    if check == NONE:
        return [each for each in reviews if not each.review.objections]
    return [each for each in reviews if any(objection.check == check for objection in each.review.objections)]


def drawn(reviews: Sequence[Reviewed], check: str, count: int) -> list[Reviewed]:
    """The sample that is to be read: the same one as long as the check objects to the same pairs."""
    flagged = objected(reviews, check)
    if len(flagged) <= count:
        return flagged
    places = random.Random(f"{SEED} {check}").sample(range(len(flagged)), count)
    return [flagged[at] for at in sorted(places)]


def read_verdicts(path: Path) -> dict[tuple[str, str], str]:
    """By question_id and check."""
    with path.open(newline="", encoding="utf-8") as file:
        return {(row["question_id"], row["check"]): row["verdict"] for row in csv.DictReader(file)}


def _table(found: Iterator[Precision]) -> Table:
    table = Table(box=None)
    names = ("check", "objects to", "read", "right", "other fault", "good pair", "precision", "good pairs flagged")
    for name in names:
        table.add_column(name, justify="left" if name == "check" else "right")
    for each in found:
        counts = (each.flagged, each.read, each.right, each.other, each.wrong)
        shares = f"{each.right / max(each.read, 1):.0%}", f"{each.good_share:.2%}"
        table.add_row(each.check, *map(str, counts), *shares)
    return table


def _print(console: Console, reviewed: Reviewed) -> None:
    row = reviewed.row
    console.print(f"\n{row.question_id}  answer {row.ground_truth}", markup=False, highlight=False)
    for text in (*reviewed.review.reasons, row.question, row.paraphrase):
        console.print(" ".join(text.split()), markup=False, highlight=False)


def main() -> None:
    """Reviews the pairs and prints the table, or a sample."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paraphrase_readings", description=__doc__)
    parser.add_argument("file", type=Path, nargs="+", help="pairs: parquet, JSON lines or a JSON array")
    parser.add_argument("--draw", choices=[*CHECKS, NONE], help="print a sample of this check's objections instead")
    parser.add_argument("--count", type=int, default=100, help="how many to draw at most")
    parser.add_argument("--verdicts", type=Path, default=VERDICTS)
    given = parser.parse_args()
    console = Console(width=None if Console().is_terminal else 120)
    reviews = [each for file in given.file for each in review_rows(read_pairs(file), AcceptancePolicy(), processes=2)]
    if given.draw:
        for each in drawn(reviews, given.draw, given.count):
            _print(console, each)
        return
    console.print(f"{len(reviews)} pairs, of which {len(objected(reviews, NONE))} have no objection", highlight=False)
    console.print(_table(precisions(reviews, read_verdicts(given.verdicts))))


if __name__ == "__main__":
    main()
