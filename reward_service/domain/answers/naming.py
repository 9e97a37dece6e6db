"""Tell an expression that names a value, as a + b = 7 does, from an equation that is to be solved, as x² = 4 is."""

import re

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.factors import APPLIED
from reward_service.domain.answers.values import Sum

_INDEX = r"(?:_\{[^=<>]*\})?"
_NAME = re.compile(
    rf"\\?[A-Za-z]+'*{_INDEX}'*"  # x, x_1, AB, area, \theta
    rf"|(?:{'|'.join(re.escape(name) for name in sorted(APPLIED))})'*{_INDEX}"
    r"\([A-Za-z0-9,+-]{1,12}\)"  # f(x), P(n+1)
    rf"|([A-Za-z])'*{_INDEX}\((?!\1)[A-Za-z0-9]\)"  # y(0), a(n), but n(n+1) is a product
    r"|\([A-Za-z](?:_\{\w\})?(?:,[A-Za-z](?:_\{\w\})?){1,7}\)"  # (x,y)
    r"|m?\\angle[A-Za-z]{1,3}"
)
_PRODUCT = re.compile(r"[a-z]{2,3}")
"""Letters that are names of their own: xy = 6 is no value of a name."""
_MEASURING = frozenset({"abs", "floor", "ceil", "sin", "cos"})
_COORDINATES = frozenset({"x", "y", "z"})
_CONSTANTS = frozenset({"pi", "e", "i", "deg", "pct", "usd", "oo"})


def name_of(written: str) -> str | None:
    r"""Return a name without what TeX needs around it, x_1 of x_{1} and area of \text{Area}; None for what is none."""
    if not _NAME.fullmatch(written) or written in ("\\pi", "e", "i"):
        return None
    if _PRODUCT.fullmatch(written):
        return None
    plain = written.replace("{", "").replace("}", "").replace("\\", "").replace(" ", "")
    return plain.lower() if len(plain) > 2 and plain.isalpha() and not plain.isupper() else plain


def names_value(algebra: Algebra, terms: Sum, *, zero: bool) -> bool:
    """Return whether a sum is the name of the value beside it; `zero`: the value is 0.

    One function of letters (|AB|, cos θ, P(A)) is a name, and so is a polynomial of several letters. One letter alone
    makes an equation, and so do products with coordinates, and coordinates whose sum is 0: lines and curves.
    """
    if not terms or () in terms:
        return False
    names = {name for monomial in terms for name, _ in monomial if name[0] != "#" and name not in _CONSTANTS}
    applied = {name for name in names if name[0] == "~"}
    if applied:
        ((monomial, factor),) = terms.items() if len(terms) == 1 else (((), 0),)
        if names == applied and all(algebra.atoms[name].function in APPLIED for name in names):
            return True  # f(1) + f(2)
        plain = factor == 1 and all(abs(power) == 1 for _, power in monomial)
        return plain and names == applied and all(_is_of_letters(algebra, name) for name in names)
    whole = all(power.denominator == 1 for monomial in terms for _, power in monomial)
    if len(names) < 2 or not whole:
        return False
    curved = any(len(monomial) != 1 or monomial[0][1] != 1 for monomial in terms)
    if curved:
        return not zero and names.isdisjoint(_COORDINATES)
    return not (zero and names <= _COORDINATES)


def _is_of_letters(algebra: Algebra, name: str) -> bool:
    atom = algebra.atoms[name]
    if atom.function.rstrip("'").partition("_")[0] in APPLIED:
        return True
    if atom.function not in _MEASURING:
        return False
    (inside,) = atom.arguments
    letters = {name for monomial in inside for name, _ in monomial if name not in _CONSTANTS}
    if any(name[0] == "~" for name in letters) or () in inside:
        return False
    return atom.function != "abs" or len(letters) > 1 or all(value == 1 for value in inside.values())
