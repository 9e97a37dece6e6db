"""Measure the CPU time of forming the classes of a group's answers, beside others."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.grading_contestants import LENIENT, Row
from benchmarks.grading_isolated import Isolated, LostError
from benchmarks.grading_results import Times, Voted

COHORT_S = 60.0
"""Wall time for one cohort, after which its grader is ended and the cohort counts as that long."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Cohorts of answers, and of how many the slow ones among the graders are asked, evenly spread."""

    name: str
    cohorts: Sequence[Sequence[str]]
    sample: int

    @property
    def sampled(self) -> list[int]:
        """The places of the cohorts that everybody is asked about."""
        count = min(self.sample, len(self.cohorts))
        return [place * len(self.cohorts) // count for place in range(count)] if count else []


@dataclass(slots=True)
class Voting:
    """A workload's votes by grader and cohort."""

    workload: Workload
    votes: Mapping[str, dict[int, Voted]]
    killed: dict[str, int] = field(default_factory=dict)

    def cold(self, grader: str) -> Times:
        """CPU time in ms by a grader that has seen none of the answers."""
        return Times.of([vote.cold_s for vote in self.votes[grader].values()], 1e-3)

    def warm(self, grader: str) -> Times:
        """CPU time in ms of the same vote again."""
        return Times.of([vote.warm_s for vote in self.votes[grader].values()], 1e-3)

    def ratio(self, grader: str) -> float | None:
        """Its median over ours, cold, on the cohorts that both were asked about."""
        shared = self.votes[grader].keys() & self.votes[LENIENT].keys()
        if not shared:
            return None
        theirs, ours = (
            statistics.median(self.votes[name][place].cold_s for place in shared) for name in (grader, LENIENT)
        )
        return theirs / ours

    def same_partition(self, grader: str) -> float | None:
        """The share of shared cohorts in which it finds the very classes that ours does."""
        shared = self.votes[grader].keys() & self.votes[LENIENT].keys()
        same = sum(_same(self.votes[grader][place].classes, self.votes[LENIENT][place].classes) for place in shared)
        return same / len(shared) if shared else None

    @property
    def asked(self) -> int:
        """Questions to the judge."""
        return sum(vote.asked for vote in self.votes[LENIENT].values())

    @property
    def undecided(self) -> int:
        """Comparisons that ours left undecided."""
        return sum(vote.undecided for vote in self.votes[LENIENT].values())


@dataclass(slots=True)
class Booth:
    """Lets graders vote on cohorts, in alternation; those of others on the sample, and for `limit_s` each workload."""

    rows: Mapping[str, Row]
    limit_s: float
    tick: Callable[[str], None]

    def measure(self, workload: Workload) -> Voting:
        """Every grader has a process of its own, which has imported everything and has seen none of the answers."""
        votes: dict[str, dict[int, Voted]] = {name: {} for name in self.rows}
        voting = Voting(workload, votes)
        sampled = frozenset(workload.sampled)
        ends_s = time.monotonic() + self.limit_s
        with ExitStack() as stack:
            graders = {name: stack.enter_context(Isolated(row.open)) for name, row in self.rows.items()}
            for place, cohort in enumerate(workload.cohorts):
                for name, grader in graders.items():
                    if name == LENIENT or (place in sampled and time.monotonic() < ends_s):
                        votes[name][place] = self._vote(name, grader, cohort, voting)
                self.tick(workload.name)
        return voting

    def _vote(self, name: str, grader: Isolated, cohort: Sequence[str], voting: Voting) -> Voted:
        try:
            return grader.call("vote", tuple(cohort), limit_s=COHORT_S)
        except (LostError, RuntimeError):
            voting.killed[name] = voting.killed.get(name, 0) + 1
            return Voted(tuple(range(len(cohort))), COHORT_S, COHORT_S)


def _same(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two numberings make the same classes."""
    pairs = set(zip(one, other, strict=True))
    return len(pairs) == len(set(one)) == len(set(other))
