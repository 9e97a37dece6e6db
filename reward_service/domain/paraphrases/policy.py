"""Which objections reject a paraphrase: a policy, and what it makes of a pair."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reward_service.domain.paraphrases.checks.registry import CHECKS
from reward_service.domain.paraphrases.pair import Evidence, Pair, Tolerances


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """Which checks are asked, which of them decide (the others only tell), and how strict they are."""

    deciding: frozenset[str] = frozenset(CHECKS)
    telling: frozenset[str] = frozenset()
    tolerances: Tolerances = field(default_factory=Tolerances)


@dataclass(frozen=True, slots=True)
class Objection:
    """A check that objects, and why."""

    check: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Review:
    """What became of a pair, with all objections in the order of the table."""

    accepted: bool
    objections: tuple[Objection, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """A line for each objection."""
        return tuple(f"{each.check}: {each.evidence.words}" for each in self.objections)


def review(pair: Pair, policy: AcceptancePolicy) -> Review:
    """Asks the policy's checks, cheap ones first, up to a fatal objection."""
    objections = tuple(_objections(pair, policy))
    return Review(not any(each.check in policy.deciding for each in objections), objections)


def _objections(pair: Pair, policy: AcceptancePolicy) -> Iterator[Objection]:
    for name, row in CHECKS.items():
        if name not in policy.deciding and name not in policy.telling:
            continue
        evidence = row.check(pair, policy.tolerances)
        if evidence is not None:
            yield Objection(name, evidence)
            if row.fatal:
                return
