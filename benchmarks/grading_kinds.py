"""Measure the grader on pairs of named kinds: `python -m benchmarks.grading_kinds [FILE] [--show]`.

A pair counts as equal where a vote of the two makes one class and each matches the other as a ground truth. A false
merge is a pair that is different and yet merged by either.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from co_rewarding_schema.vocabulary import Conventions

from benchmarks.grading_ours import OurGrader, our_grader

KINDS = Path(__file__).resolve().parents[2] / "shared" / "data" / "equivalence" / "kinds_dev.jsonl"


@dataclass(frozen=True, slots=True)
class KindPair:
    """Two answers, whether they are equal, and what kind of rewriting parts them."""

    one: str
    other: str
    equal: bool
    kind: str


@dataclass(slots=True)
class KindScore:
    """The pairs of a kind in one mode: how many are equal and found, and those that were got wrong."""

    equal: int = 0
    different: int = 0
    missed: list[KindPair] = field(default_factory=list)
    merged: list[KindPair] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """The share of equal pairs that are found; 1 where there are none."""
        return 1 - len(self.missed) / self.equal if self.equal else 1.0


def kind_pairs(file: Path = KINDS) -> list[KindPair]:
    """The pairs of a file; none if it is not there."""
    if not file.is_file():
        return []
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [KindPair(row["a"], row["b"], row["equivalent"], row.get("kind", row.get("transform", ""))) for row in rows]


def scores(pairs: list[KindPair], conventions: Conventions) -> dict[str, KindScore]:
    """The scores of each kind, and of all under the name `all`."""
    found: dict[str, KindScore] = defaultdict(KindScore)
    with our_grader(conventions) as grader:
        for pair in pairs:
            always, ever = _merged(grader, pair)
            for score in (found[pair.kind], found["all"]):
                score.equal += pair.equal
                score.different += not pair.equal
                if pair.equal and not always:
                    score.missed.append(pair)
                if not pair.equal and ever:
                    score.merged.append(pair)
    return found


def _merged(grader: OurGrader, pair: KindPair) -> tuple[bool, bool]:
    """Whether the two are one in each of the ways to ask, and in any of them."""
    voted = grader.vote([pair.one, pair.other]).classes
    said = [
        pair.one == pair.other or len(set(voted)) == 1,
        grader.pair(pair.one, pair.other).equal,
        grader.pair(pair.other, pair.one).equal,
    ]
    return all(said), any(said)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grading_kinds", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=KINDS, help=f"pairs as lines of JSON (default {KINDS})")
    parser.add_argument("--show", action="store_true", help="show the pairs that were got wrong")
    given = parser.parse_args()
    pairs = kind_pairs(given.file)
    if not pairs:
        print(f"{given.file} is not there, or is empty")
        return
    for conventions in Conventions:
        found = scores(pairs, conventions)
        print(f"{conventions.value:<26} equal  found recall  different merged")
        for kind, score in sorted(found.items()):
            print(
                f"{kind:<26} {score.equal:>5} {score.equal - len(score.missed):>6} {score.recall:6.3f}"
                f" {score.different:>10} {len(score.merged):>6}"
            )
        for what in ("missed", "merged") if given.show else ():
            for pair in getattr(found["all"], what):
                print(f"{what}: {pair.one!r} | {pair.other!r} ({pair.kind})")


if __name__ == "__main__":
    main()
