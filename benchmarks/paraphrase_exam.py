"""Measure the checks on pairs with one planted fault each and on real pairs: `python -m benchmarks.paraphrase_exam`.

A fault counts as caught if the pair is rejected. `good` are the paraphrases that the faults were planted in, each once,
and in `sentence left out of good` each that has one to spare lacks a sentence. Who changes the checks looks at one half
of the questions, and measures on the other: `--half 0`, `--half 1`.
`--list NAME` prints the objections of a check, or the pairs with a fault that are accepted, for reading.
"""

import argparse
import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.paraphrase_meaning import dropped_sentence
from benchmarks.paraphrase_pairs import MATH, SHARED, Sample
from reward_service.domain.paraphrases.policy import CHECKS, AcceptancePolicy
from reward_service.paraphrasing.audit_findings import Reviewed, review_rows
from reward_service.paraphrasing.pair_files import PairRow, read_pairs

SEED = 20251130
HELD_OUT, WEIGHED = 1000, 1500
FAULTS = "paraphrase_faults_dev.jsonl"
GOOD = "good"
DROPPED = "condition_sentence_dropped"
LEFT_OUT = "sentence left out of good"
DOUBTS = (0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Exam:
    """Reviews of pairs by their fault, of the good pairs beside, and of real pairs."""

    faulty: Mapping[str, Sequence[Reviewed]]
    good: Sequence[Reviewed]
    real: Sequence[Reviewed]


def exam_of(faults: Path, pairs: Path, count: int, processes: int = 2, half: int | None = None) -> Exam:
    """Review what the files hold, and `count` real pairs by the fixed seed; a missing file holds nothing."""
    rows = [json.loads(line) for line in faults.read_text("utf-8").splitlines()] if faults.is_file() else []
    names = list(dict.fromkeys(row["fault"] for row in rows))
    known = {(row["question"], row["good_paraphrase"]): row for row in rows if row["good_paraphrase"]}
    good = [_row(at, {**row, "paraphrase": row["good_paraphrase"]}) for at, row in enumerate(known.values())]
    faulty = {name: [_row(at, row) for at, row in enumerate(rows) if row["fault"] == name] for name in names}
    faulty[LEFT_OUT] = [replace(row, paraphrase=text) for row, text in planted(good, SEED)]

    def reviewed(rows: Iterable[PairRow]) -> list[Reviewed]:
        some = [row for row in rows if half in (None, half_of(row.question))]
        return list(review_rows(some, AcceptancePolicy(), processes=processes))

    return Exam(
        {name: reviewed(some) for name, some in faulty.items()},
        reviewed(good),
        reviewed(sampled(pairs, count)) if count and pairs.is_file() else [],
    )


def half_of(question: str) -> int:
    """Return in which half a question is, 0 or 1."""
    return hashlib.sha256(question.encode()).digest()[0] & 1


def planted(rows: Sequence[PairRow], seed: int) -> list[tuple[PairRow, str]]:
    """Leave a sentence out of each paraphrase that has one to spare."""
    rng = random.Random(seed)
    found: list[tuple[PairRow, str]] = []
    for row in rows:
        text = dropped_sentence(rng, Sample(row.question, row.paraphrase, row.ground_truth or "", ""), ())
        if text is not None:
            found.append((row, text))
    return found


def planted_often(rows: Sequence[PairRow], times: int) -> list[tuple[PairRow, str]]:
    """Leave a sentence out of each paraphrase so many times, and keep what differs."""
    found = {(row.number, text): row for seed in range(times) for row, text in planted(rows, seed)}
    return [(row, text) for (_, text), row in found.items()]


@dataclass(frozen=True, slots=True)
class Parts:
    """Pairs of a file: those of the exam, those that weights are counted from, and all others, to count words."""

    exam: Sequence[PairRow]
    weighed: Sequence[PairRow]
    counted: Sequence[PairRow]


def parts_of(pairs: Path) -> Parts:
    """Divide a file, in the same way each time: what is judged was not counted, and what is weighed neither."""
    exam = sampled(pairs, HELD_OUT)
    drawn = {row.number for row in exam}
    others = [row for row in read_pairs(pairs) if row.number not in drawn]
    weighed = random.Random(SEED).sample(others, min(WEIGHED, len(others)))
    drawn = {row.number for row in weighed}
    return Parts(exam, weighed, [row for row in others if row.number not in drawn])


def sampled(pairs: Path, count: int) -> list[PairRow]:
    """Draw pairs of a file, the same ones each time."""
    rows = list(read_pairs(pairs))
    return random.Random(SEED).sample(rows, min(count, len(rows)))


def _row(number: int, row: Mapping[str, str]) -> PairRow:
    return PairRow(number, row["question_id"], row["question"], row["paraphrase"], row["ground_truth"], {})


def rejected(reviews: Sequence[Reviewed]) -> int:
    """Count the pairs that are rejected."""
    return sum(not each.review.accepted for each in reviews)


def by_fault(exam: Exam) -> Table:
    """Return a row for each fault, for all, and for the good pairs."""
    table = Table("fault", "pairs", "rejected", "share", "by (a pair may have several)", box=None)
    for name, reviews in (*exam.faulty.items(), (GOOD, exam.good), ("real pairs", exam.real)):
        found = Counter(objection.check for each in reviews for objection in each.review.objections)
        by = ", ".join(f"{check} {count}" for check, count in found.most_common(6))
        count = rejected(reviews)
        table.add_row(name, str(len(reviews)), str(count), f"{count / max(len(reviews), 1):.1%}", by)
    return table


def by_check(exam: Exam) -> Table:
    """Return a row for each check: flags of faulty, good and real pairs."""
    table = Table("check", "faulty", "good", "real", "real, alone", box=None)
    faulty = [each for reviews in exam.faulty.values() for each in reviews]
    for check in CHECKS:
        counts = [len(flagged(reviews, check)) for reviews in (faulty, exam.good, exam.real)]
        alone = sum(len(each.review.objections) == 1 for each in flagged(exam.real, check))
        table.add_row(check, *map(str, counts), str(alone))
    return table


def by_doubt(exam: Exam) -> Table:
    """Return, for each doubt from which a second reader is asked, the share of accepted pairs that it reads."""
    table = Table("second reader from", "good", "real", "missed faults", "missed, of a dropped sentence", box=None)
    faulty = [each for reviews in exam.faulty.values() for each in reviews]
    dropped = [each for name in (DROPPED, LEFT_OUT) for each in exam.faulty.get(name, ())]
    for doubt in DOUBTS:
        shares = (_doubted(reviews, doubt) for reviews in (exam.good, exam.real, faulty, dropped))
        table.add_row(f"{doubt}", *shares)
    return table


def _doubted(reviews: Sequence[Reviewed], doubt: float) -> str:
    accepted = [each for each in reviews if each.review.accepted]
    count = sum(each.review.doubt >= doubt for each in accepted)
    return f"{count} of {len(accepted)}, {count / max(len(accepted), 1):.0%}"


def flagged(reviews: Sequence[Reviewed], check: str) -> list[Reviewed]:
    """Return the pairs that a check objects to."""
    return [each for each in reviews if any(objection.check == check for objection in each.review.objections)]


def listed(exam: Exam, name: str) -> list[Reviewed]:
    """Return a check's flags of good and real pairs, the pairs with a fault that are accepted, or what is rejected."""
    if name in exam.faulty:
        return [each for each in exam.faulty[name] if each.review.accepted]
    unplanted = (*exam.good, *exam.real)
    if name == GOOD:
        return [each for each in unplanted if not each.review.accepted]
    return flagged(unplanted, name)


def print_pair(console: Console, reviewed: Reviewed) -> None:
    """Print a pair with its objections."""
    row = reviewed.row
    console.print(f"\n{row.question_id}  answer {row.ground_truth}", markup=False, highlight=False)
    for text in (*reviewed.review.reasons, row.question, row.paraphrase):
        console.print(" ".join(text.split()), markup=False, highlight=False)


def main() -> None:
    """Print the tables, or a list."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paraphrase_exam", description=__doc__)
    parser.add_argument("--faults", type=Path, default=SHARED / FAULTS, help="JSON lines with fault, good_paraphrase")
    parser.add_argument("--pairs", type=Path, default=SHARED / MATH, help="real pairs")
    parser.add_argument("--count", type=int, default=HELD_OUT, help="how many real pairs to draw")
    parser.add_argument("--half", type=int, choices=(0, 1), help="only the questions of one half")
    parser.add_argument("--list", help="a check, a fault, or `good` for all that is rejected without a planted fault")
    given = parser.parse_args()
    console = Console(width=None if Console().is_terminal else 120)
    for file in (given.faults, given.pairs):
        if not file.is_file():
            console.print(f"{file} is not there: what it would show is left out", highlight=False)
    exam = exam_of(given.faults, given.pairs, given.count, half=given.half)
    if given.list:
        for each in listed(exam, given.list):
            print_pair(console, each)
        return
    console.print(by_fault(exam))
    console.print()
    console.print(by_check(exam))
    console.print()
    console.print(by_doubt(exam))


if __name__ == "__main__":
    main()
