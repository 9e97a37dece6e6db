"""Apply functions and roots to sympy's expressions, in the one reading that schools have."""

import sympy
from sympy import Expr

from reward_service.grading.bounds import UnfitError

OF_ANGLES = frozenset(["sin", "cos", "tan", "cot", "sec", "csc"])
"""Functions whose operand may be in degrees."""
FUNCTIONS = OF_ANGLES | {"sinh", "cosh", "tanh", "asin", "acos", "atan", "ln", "log", "lg", "exp"}


def rooted(inner: Expr, degree: Expr) -> Expr:
    """Return a root: of a negative number the real one, where the degree is odd.

    Raises:
        UnfitError: the degree is no positive integer.
    """
    if degree.is_Integer and degree.is_positive and degree.is_odd and inner.is_number:
        sign = sympy.sign(sympy.N(inner, 30, maxn=200)) if inner.is_real else None
        if sign == -1:
            return -sympy.Pow(-inner, 1 / degree)  # the real root, as schools read it
    if not (degree.is_Integer and degree.is_positive):
        raise UnfitError("notation")
    return sympy.Pow(inner, 1 / degree)


def applied(name: str, operand: Expr, base: Expr | None) -> Expr:
    """Return a function of its operand; a logarithm without a base has a base of its own."""
    if name == "exp":
        return sympy.exp(operand)
    if name == "lg":
        base = sympy.Integer(10)
    elif name == "log" and base is None:
        # Ten, two or e, as the author likes it: what holds for every base is settled, the rest stays open.
        base = sympy.Symbol("base of log", positive=True)
    if name in ("ln", "log", "lg"):
        return sympy.log(operand) if base is None else sympy.log(operand) / sympy.log(base)
    shape = getattr(sympy, name)
    return shape(operand)
