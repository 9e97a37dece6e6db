"""List all checks, cheap ones first, and review a pair under a policy. A new check is a function and a row."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from reward_service.domain.paraphrases.checks.answer import answer_not_leaked, not_solved
from reward_service.domain.paraphrases.checks.asked import asked_kept
from reward_service.domain.paraphrases.checks.bounds import bounds_kept
from reward_service.domain.paraphrases.checks.conditions import conditions_kept
from reward_service.domain.paraphrases.checks.dropped import nothing_dropped
from reward_service.domain.paraphrases.checks.figures import figure_kept
from reward_service.domain.paraphrases.checks.formulas import formulas_kept
from reward_service.domain.paraphrases.checks.names import variables_kept
from reward_service.domain.paraphrases.checks.negation import negation_kept
from reward_service.domain.paraphrases.checks.numbers import numbers_kept, numbers_told
from reward_service.domain.paraphrases.checks.quantifiers import quantifiers_kept
from reward_service.domain.paraphrases.checks.swapped import quantities_in_place
from reward_service.domain.paraphrases.checks.units import units_kept
from reward_service.domain.paraphrases.checks.wording import (
    latex_balanced,
    not_copied,
    not_truncated,
    parsed,
    right_length,
    same_language,
    same_problem,
)
from reward_service.domain.paraphrases.doubt import doubt_of
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances

Check = Callable[[Pair, Tolerances], Evidence | None]
"""Evidence against a pair, or None."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check. After an objection of a fatal check no later one is asked: it would only say the same again.

    One that warns is wrong more often than right. It decides where a run names it, and else with other signs, by doubt.
    """

    check: Check
    about: str
    fatal: bool = False
    warns: bool = False


CHECKS: Mapping[str, CheckRow] = MappingProxyType({
    "parsed": CheckRow(parsed, "there is a paraphrase and nothing around it", fatal=True),
    "copy": CheckRow(not_copied, "it is not the original again", fatal=True),
    "language": CheckRow(same_language, "it is in the original's language", fatal=True),
    "length": CheckRow(right_length, "it is neither much shorter nor much longer"),
    "truncated": CheckRow(not_truncated, "it does not break off"),
    "latex": CheckRow(latex_balanced, "what is opened is closed"),
    "figure": CheckRow(figure_kept, "a figure is kept, or the numbers in it"),
    "numbers": CheckRow(numbers_kept, "no number is replaced by another"),
    "numerals": CheckRow(numbers_told, "every number is kept, and none is new", warns=True),
    "swapped": CheckRow(quantities_in_place, "no two quantities changed places"),
    "formulas": CheckRow(formulas_kept, "formulas and lists keep their numbers and signs"),
    "variables": CheckRow(variables_kept, "letters are renamed as a whole"),
    "units": CheckRow(units_kept, "units of measure are kept"),
    "bounds": CheckRow(bounds_kept, "at least, at most, less and more than are kept"),
    "conditions": CheckRow(conditions_kept, "positive, odd, prime, distinct and the like are kept"),
    "quantifiers": CheckRow(quantifiers_kept, "every, some, both, either and exactly are kept"),
    "dropped": CheckRow(nothing_dropped, "no stretch of the original is without counterpart", warns=True),
    "negation": CheckRow(negation_kept, "what is denied is still denied", warns=True),
    "asked": CheckRow(asked_kept, "it asks, and for the same thing"),
    "leak": CheckRow(answer_not_leaked, "the answer is not given away"),
    "solved": CheckRow(not_solved, "the answer is not worked out"),
    "foreign": CheckRow(same_problem, "it is this problem and no other"),
})  # fmt: skip


DECIDING = frozenset(name for name, row in CHECKS.items() if not row.warns)
"""The checks that decide where a run names none."""


MOST_DOUBT = 0.5
"""A pair that is more probably faulty than not is rejected."""


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """The checks that are asked, those of them that decide (the others only tell), their tolerances, and the doubt.

    A pair of more doubt than `most_doubt` is rejected whatever the checks say. What a run chose not to let decide does
    not count in that doubt either.
    """

    deciding: frozenset[str] = DECIDING
    telling: frozenset[str] = frozenset(CHECKS) - DECIDING
    tolerances: Tolerances = field(default_factory=Tolerances)
    most_doubt: float = MOST_DOUBT


@dataclass(frozen=True, slots=True)
class Objection:
    """A check that objects, and why."""

    check: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Review:
    """The result of a pair's checks: all objections in the order of the table, and the doubt of the pair, in [0, 1]."""

    accepted: bool
    objections: tuple[Objection, ...]
    doubt: float = 0.0

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return a line for each objection."""
        return tuple(f"{each.check}: {each.evidence.words}" for each in self.objections)


def review(pair: Pair, policy: AcceptancePolicy) -> Review:
    """Ask the policy's checks, cheap ones first, up to a fatal objection."""
    objections = tuple(_objections(pair, policy))
    score = pair.coverage.score
    names = [each.check for each in objections]
    deciding = [name for name in names if name in policy.deciding or CHECKS[name].warns]
    accepted = policy.deciding.isdisjoint(names) and doubt_of(deciding, score) <= policy.most_doubt
    return Review(accepted, objections, doubt_of(names, score))


def _objections(pair: Pair, policy: AcceptancePolicy) -> Iterator[Objection]:
    for name, row in CHECKS.items():
        if name not in policy.deciding and name not in policy.telling:
            continue
        evidence = row.check(pair, policy.tolerances)
        if evidence is not None:
            yield Objection(name, evidence)
            if row.fatal:
                return
