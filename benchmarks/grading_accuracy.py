"""Measure how often graders are right on labelled pairs, and how often they agree on unlabelled pairs."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from benchmarks.grading_contestants import BACKWARD, BOTH, EITHER, FORWARD, STRICT, Row
from benchmarks.grading_isolated import Isolated, LostError
from benchmarks.grading_pairs import Pair
from benchmarks.grading_results import Judged, Times

PAIR_S = 15.0
"""Wall time for one pair: more than what math-verify grants itself for two parses and a comparison."""

Verdicts = Sequence[Judged | None]
"""One for each pair, in their order; None where the time was over before it was asked."""


@dataclass(frozen=True)
class Score:
    """A grader on labelled pairs. What is not called equal is different, undecided pairs too."""

    name: str
    pairs: Sequence[Pair]
    verdicts: Verdicts

    @cached_property
    def asked(self) -> list[tuple[Pair, Judged]]:
        """The pairs that it was asked about."""
        return [(pair, judged) for pair, judged in zip(self.pairs, self.verdicts, strict=True) if judged is not None]

    @property
    def false_equals(self) -> list[Pair]:
        """Different, and called equal: a reward for a wrong answer."""
        return [pair for pair, judged in self.asked if judged.equal and not pair.equal]

    @property
    def false_differents(self) -> list[Pair]:
        """Equal, and not called so: no reward for a right answer."""
        return [pair for pair, judged in self.asked if pair.equal and not judged.equal]

    @property
    def accuracy(self) -> float:
        """The share of pairs that it is right about."""
        return _share(len(self.asked) - len(self.false_equals) - len(self.false_differents), len(self.asked))

    @property
    def precision(self) -> float:
        """Of the pairs that it calls equal, those that are."""
        called = [pair for pair, judged in self.asked if judged.equal]
        return _share(sum(bool(pair.equal) for pair in called), len(called))

    @property
    def recall(self) -> float:
        """Of the pairs that are equal, those that it calls so."""
        equal = [judged for pair, judged in self.asked if pair.equal]
        return _share(sum(judged.equal for judged in equal), len(equal))

    @property
    def times(self) -> Times:
        """CPU time of a pair in µs."""
        return Times.of([judged.cpu_s for _, judged in self.asked], 1e-6)

    def trouble(self, what: str) -> int:
        """How many pairs ended so: undecided, error, timeout, killed."""
        return sum(judged.trouble == what for _, judged in self.asked)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """All graders on one set of pairs."""

    data: str
    pairs: Sequence[Pair]
    verdicts: Mapping[str, Verdicts]

    @property
    def scores(self) -> list[Score]:
        """On the pairs that mathematics decides."""
        return [self._score(name, convention=False) for name in self.verdicts]

    @property
    def conventions(self) -> list[Score]:
        """On the pairs that are a matter of convention, where there are any."""
        return [self._score(name, convention=True) for name in self.verdicts]

    def by_kind(self) -> dict[str, tuple[bool, int, dict[str, int]]]:
        """For each kind whether its pairs are equal, their number, and how many of them each grader has as labelled.

        Of a convention, strict should have none as equal.
        """
        kinds: dict[str, list[int]] = defaultdict(list)
        for place, pair in enumerate(self.pairs):
            kinds[pair.kind].append(place)
        return {
            kind: (
                bool(self.pairs[places[0]].equal),
                len(places),
                {name: self._as_wanted(name, places) for name in self.verdicts},
            )
            for kind, places in kinds.items()
        }

    def conventions_by_kind(self) -> dict[str, tuple[int, dict[str, int]]]:
        """For each kind of convention the number of pairs, and how many of them each grader has as labelled.

        Strict conventions take an answer as it is written: there all of them should be different.
        """
        kinds: dict[str, list[int]] = defaultdict(list)
        for place, pair in enumerate(self.pairs):
            if pair.convention:
                kinds[pair.kind].append(place)
        return {
            kind: (len(places), {name: self._as_wanted(name, places) for name in self.verdicts})
            for kind, places in kinds.items()
        }

    def agreement(self, one: str, other: str) -> float:
        """The share of pairs, of those that both were asked about, on which they say the same."""
        both = [
            (left.equal, right.equal)
            for left, right in zip(self.verdicts[one], self.verdicts[other], strict=True)
            if left is not None and right is not None
        ]
        return _share(sum(left == right for left, right in both), len(both))

    def only(self, one: str, other: str) -> list[Pair]:
        """The pairs that the first calls equal and the second does not."""
        verdicts = zip(self.pairs, self.verdicts[one], self.verdicts[other], strict=True)
        return [pair for pair, left, right in verdicts if left and right and left.equal and not right.equal]

    def _score(self, name: str, *, convention: bool) -> Score:
        chosen = [place for place, pair in enumerate(self.pairs) if pair.convention is convention]
        verdicts = self.verdicts[name]
        return Score(name, [self.pairs[place] for place in chosen], [verdicts[place] for place in chosen])

    def _as_wanted(self, name: str, places: Sequence[int]) -> int:
        wanted = {
            place: bool(self.pairs[place].equal) and not (self.pairs[place].convention and name == STRICT)
            for place in places
        }
        judged = {place: self.verdicts[name][place] for place in places}
        return sum(found is not None and found.equal == wanted[place] for place, found in judged.items())


@dataclass(slots=True)
class Examiner:
    """Asks graders about pairs, each in a process of its own, for at most so many seconds of wall time each."""

    rows: Mapping[str, Row]
    limit_s: float
    tick: Callable[[str], None]
    notes: list[str] = field(default_factory=list)

    def examine(self, data: str, pairs: Sequence[Pair]) -> Accuracy:
        """The verdicts of all graders, and what follows from asking math-verify in both directions."""
        verdicts: dict[str, Verdicts] = {}
        for name, row in self.rows.items():
            try:
                with Isolated(row.open) as grader:
                    verdicts[name] = self._ask(name, grader, pairs)
            except RuntimeError as error:
                self.notes.append(f"{name} is left out of {data!r}: {error}")
            if name == BACKWARD and name in verdicts and FORWARD in verdicts:
                directions = list(zip(verdicts[FORWARD], verdicts[BACKWARD], strict=True))
                verdicts[EITHER] = [_then(one, other, when=False) for one, other in directions]
                verdicts[BOTH] = [_then(one, other, when=True) for one, other in directions]
        return Accuracy(data, pairs, verdicts)

    def _ask(self, name: str, grader: Isolated, pairs: Sequence[Pair]) -> Verdicts:
        ends_s = time.monotonic() + self.limit_s
        verdicts: list[Judged | None] = []
        for pair in pairs:
            if time.monotonic() > ends_s:
                verdicts.append(None)
                continue
            try:
                verdicts.append(grader.call("pair", pair.gold, pair.answer, limit_s=PAIR_S))
            except LostError:
                verdicts.append(Judged(False, PAIR_S, "killed"))
            self.tick(name)
        return verdicts


def _then(one: Judged | None, other: Judged | None, *, when: bool) -> Judged | None:
    """The other direction is asked where the first says `when`, and then decides."""
    if one is None or other is None or one.equal is not when:
        return one
    return Judged(other.equal, one.cpu_s + other.cpu_s, one.trouble or other.trouble)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
