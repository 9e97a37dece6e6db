"""Measure how many planted faults the cheap checks catch: `python -m benchmarks.paraphrase_faults`.

A fault counts as caught if a check that decides objects, or the doubt does, and did not before it was planted. Where
only checks object that had objected before, nothing can be seen of the fault: those pairs are `masked`, and the share
that must be reached is that of the others. `of all` counts them as missed.
"""

import argparse
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.paraphrase_pairs import MATH, SHARED, Sample, made_pairs, shared_pairs
from benchmarks.paraphrase_planting import FAULTS, Plant
from reward_service.domain.paraphrases.pairs import pair_of
from reward_service.domain.paraphrases.policy import AcceptancePolicy, review

DOUBT = "doubt"
SEED = 20250729
WANTED = {"number": 0.95, "leak": 0.95, "copy": 0.95, "truncated": 0.95, "foreign": 0.95}
"""What must be caught of a fault, as a share of the pairs in which it could be seen."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fault on many pairs. `planted` of them had a place for it."""

    fault: str
    planted: int
    caught: int
    masked: int
    by: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """Caught, of those where it could be seen; in [0, 1]."""
        return self.caught / max(self.planted - self.masked, 1)

    @property
    def share_of_all(self) -> float:
        """Caught, of all it was planted on; in [0, 1]."""
        return self.caught / max(self.planted, 1)


def outcome_of(fault: str, plant: Plant, pairs: Sequence[Sample], seed: int) -> Outcome:
    """Plants one fault on each pair that has a place for it, and reviews what comes out."""
    policy, rng = AcceptancePolicy(), random.Random(f"{seed} {fault}")
    planted = caught = masked = 0
    by: Counter[str] = Counter()
    for pair in pairs:
        faulty = plant(rng, pair, pairs)
        if faulty is None or faulty == pair.paraphrase:
            continue
        planted += 1
        before = _objecting(pair, pair.paraphrase, policy)
        after = _objecting(pair, faulty, policy)
        caught += bool(after - before)
        masked += bool(after) and after <= before
        by.update(after - before)
    return Outcome(fault, planted, caught, masked, by)


def outcomes(pairs: Sequence[Sample], seed: int) -> list[Outcome]:
    """One for each fault."""
    return [outcome_of(fault, plant, pairs, seed) for fault, plant in FAULTS.items()]


def sampled(file: Path | None, count: int, seed: int) -> list[Sample]:
    """Pairs of a file in a random order, or made ones if there is no file."""
    if file is None or not file.is_file():
        return made_pairs(count, seed)
    pairs = shared_pairs(file)
    return random.Random(seed).sample(pairs, min(count, len(pairs)))


def table_of(found: Sequence[Outcome]) -> Table:
    """A row for each fault."""
    table = Table(box=None)
    for name in ("fault", "planted", "masked", "caught", "wanted", "of all", "by (a pair may have several)"):
        table.add_column(
            name, justify="left" if name in ("fault", "by (a pair may have several)") else "right", overflow="fold"
        )
    for each in found:
        wanted = WANTED.get(each.fault)
        table.add_row(
            each.fault,
            str(each.planted),
            str(each.masked),
            f"{each.share:.1%}",
            "" if wanted is None else f"{wanted:.0%}",
            f"{each.share_of_all:.1%}",
            ", ".join(f"{check} {count}" for check, count in each.by.most_common(5)),
        )
    return table


def _objecting(pair: Sample, paraphrase: str, policy: AcceptancePolicy) -> set[str]:
    reviewed = review(pair_of(pair.question, paraphrase, pair.answer), policy)
    names = {each.check for each in reviewed.objections if each.check in policy.deciding}
    return names or (set() if reviewed.accepted else {DOUBT})


def main() -> None:
    """Plants, reviews and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paraphrase_faults", description=__doc__)
    parser.add_argument("--file", type=Path, default=SHARED / MATH, help="parquet pairs; made ones if it is not there")
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    pairs = sampled(given.file, given.pairs, given.seed)
    where = given.file.name if given.file.is_file() else "made pairs"
    console = Console(width=None if Console().is_terminal else 120)
    console.print(f"{len(pairs)} of {where}, seed {given.seed}", highlight=False)
    console.print(table_of(outcomes(pairs, given.seed)))


if __name__ == "__main__":
    main()
