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
from reward_service.domain.paraphrases.pair import Evidence, Pair, Tolerances

Check = Callable[[Pair, Tolerances], Evidence | None]
"""Evidence against a pair, or None."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check; where a fatal one objects, the later ones are not asked: they would only say the same again."""

    check: Check
    about: str
    fatal: bool = False


CHECKS: Mapping[str, CheckRow] = MappingProxyType({
    "parsed": CheckRow(parsed, "there is a paraphrase and nothing around it", fatal=True),
    "copy": CheckRow(not_copied, "it is not the original again", fatal=True),
    "language": CheckRow(same_language, "it is in the original's language", fatal=True),
    "length": CheckRow(right_length, "it is neither much shorter nor much longer"),
    "truncated": CheckRow(not_truncated, "it does not break off"),
    "latex": CheckRow(latex_balanced, "what is opened is closed"),
    "figure": CheckRow(figure_kept, "a figure is kept, or the numbers in it"),
    "numbers": CheckRow(numbers_kept, "every number is kept, and none is new"),
    "formulas": CheckRow(formulas_kept, "formulas and lists keep their numbers and signs"),
    "variables": CheckRow(variables_kept, "letters are renamed as a whole"),
    "units": CheckRow(units_kept, "units of measure are kept"),
    "bounds": CheckRow(bounds_kept, "at least, at most, less and more than are kept"),
    "negation": CheckRow(negation_kept, "what is denied is still denied"),
    "asked": CheckRow(asked_kept, "it asks, and for the same thing"),
    "leak": CheckRow(answer_not_leaked, "the answer is not given away"),
    "solved": CheckRow(not_solved, "the answer is not worked out"),
    "foreign": CheckRow(same_problem, "it is this problem and no other"),
})  # fmt: skip
