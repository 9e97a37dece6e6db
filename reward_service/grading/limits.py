"""Take limits with sympy, and check each by values near the point."""

import sympy
from sympy import Expr

from reward_service.grading.bounds import UnfitError

_NEAR = sympy.Rational(1, 10**8)
_FAR = sympy.Integer(10**8)
_CLOSE = sympy.Rational(1, 10**5)
_DIGITS = 40


def limit(body: Expr, symbol: Expr, point: Expr) -> Expr:
    """Return a limit from both sides.

    Raises:
        UnfitError: there is none, it is not finite, or values near the point are not near it.
    """
    if not isinstance(symbol, sympy.Symbol) or body.free_symbols != {symbol} or point.free_symbols:
        raise UnfitError("symbols")
    try:
        found = sympy.limit(body, symbol, point, "+-") if point.is_finite else sympy.limit(body, symbol, point)
    except (NotImplementedError, ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise UnfitError("undefined") from error
    if not (isinstance(found, Expr) and found.is_number and found.is_finite):
        raise UnfitError("undefined")
    near = [point + _NEAR, point - _NEAR] if point.is_finite else [_FAR if point is sympy.S.Infinity else -_FAR]
    for place in near:
        # As a decimal: an exact 10⁸ in an exponent would be multiplied out.
        gap = sympy.Abs(body - found).evalf(_DIGITS, subs={symbol: sympy.Float(place, _DIGITS)}, maxn=10 * _DIGITS)
        if not (gap.is_Float or gap.is_Rational) or gap > _CLOSE * sympy.Max(1, sympy.Abs(found)):
            raise UnfitError("values")
    return found
