"""All checks, cheap ones first: a new one is a function and a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reward_service.domain.paraphrases.checks.answer import answer_not_leaked, not_solved
from reward_service.domain.paraphrases.checks.asked import asked_kept
from reward_service.domain.paraphrases.checks.bounds import bounds_kept
from reward_service.domain.paraphrases.checks.figures import figure_kept
from reward_service.domain.paraphrases.checks.form import not_copied, not_truncated, parsed, right_length
from reward_service.domain.paraphrases.checks.formulas import formulas_kept
from reward_service.domain.paraphrases.checks.language import same_language
from reward_service.domain.paraphrases.checks.latex import latex_balanced
from reward_service.domain.paraphrases.checks.negation import negation_kept
from reward_service.domain.paraphrases.checks.numbers import numbers_kept
from reward_service.domain.paraphrases.checks.origin import same_problem
from reward_service.domain.paraphrases.checks.units import units_kept
from reward_service.domain.paraphrases.checks.variables import variables_kept
from reward_service.domain.paraphrases.findings import Evidence, Pair, Tolerances

Check = Callable[[Pair, Tolerances], Evidence | None]
"""Evidence against a pair, or None."""


@dataclass(frozen=True, slots=True)
class Row:
    """A check; where a fatal one objects, the later ones are not asked: they would only say the same again."""

    check: Check
    about: str
    fatal: bool = False


CHECKS: Mapping[str, Row] = MappingProxyType({
    "parsed": Row(parsed, "there is a paraphrase and nothing around it", fatal=True),
    "copy": Row(not_copied, "it is not the original again", fatal=True),
    "language": Row(same_language, "it is in the original's language", fatal=True),
    "length": Row(right_length, "it is neither much shorter nor much longer"),
    "truncated": Row(not_truncated, "it does not break off"),
    "latex": Row(latex_balanced, "what is opened is closed"),
    "figure": Row(figure_kept, "a figure is kept, or the numbers in it"),
    "numbers": Row(numbers_kept, "every number is kept, and none is new"),
    "formulas": Row(formulas_kept, "formulas and lists keep their numbers and signs"),
    "variables": Row(variables_kept, "letters are renamed as a whole"),
    "units": Row(units_kept, "units of measure are kept"),
    "bounds": Row(bounds_kept, "at least, at most, less and more than are kept"),
    "negation": Row(negation_kept, "what is denied is still denied"),
    "asked": Row(asked_kept, "it asks, and for the same thing"),
    "leak": Row(answer_not_leaked, "the answer is not given away"),
    "solved": Row(not_solved, "the answer is not worked out"),
    "foreign": Row(same_problem, "it is this problem and no other"),
})  # fmt: skip
