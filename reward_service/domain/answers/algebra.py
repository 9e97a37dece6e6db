"""Compute exactly with sums of monomials, within a budget; a sum that is too large is not read."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b

from reward_service.domain.answers.values import (
    MAX_BITS,
    Monomial,
    NotReadError,
    Number,
    Sum,
    UndefinedError,
    comes_out,
    content,
    factored,
    factors_of,
    is_constant,
    names_below,
    over,
    product,
    reduced,
    shared,
    small,
    sum_key,
)

MAX_TERMS = 256
MAX_EXPANSION = 20
LONG = 240
FACTORING = 60
WORK = 8_000
"""Products of two terms that reading one answer may take."""

ZERO: Sum = {}
ONE: Sum = {(): 1}


@dataclass(frozen=True, slots=True)
class Atom:
    """What an atom's name stands for: a function's name and its arguments. `sum` and `power` are functions here."""

    function: str
    arguments: tuple[Sum, ...]


class Algebra:
    """The arithmetic of one answer: its atoms, and what it may still cost."""

    def __init__(self) -> None:
        """No atoms yet, and the whole budget."""
        self.atoms: dict[str, Atom] = {}
        self._left = WORK

    def spend(self, work: int) -> None:
        """Takes from the budget.

        Raises:
            NotReadError: it is spent.
        """
        self._left -= work
        if self._left < 0:
            raise NotReadError

    def spend_on_factors(self, value: Number) -> None:
        """What taking a number apart costs: a division by each small prime, dear where the number is long."""
        self.spend(FACTORING + (value.numerator.bit_length() + value.denominator.bit_length()) // 4)

    def number(self, value: Number) -> Sum:
        """A rational constant."""
        return {(): value} if value else ZERO

    def symbol(self, name: str) -> Sum:
        """A variable or a constant with a name, once."""
        return {((name, 1),): 1}

    def add(self, left: Sum, right: Sum, sign: int = 1) -> Sum:
        """The sum, or with sign -1 the difference."""
        total = dict(left)
        for monomial, coefficient in right.items():
            value = total.get(monomial, 0) + sign * coefficient
            if value:
                total[monomial] = small(value)
            else:
                del total[monomial]
        if len(total) > MAX_TERMS:
            raise NotReadError
        return total

    def scale(self, terms: Sum, factor: Number) -> Sum:
        """Times a rational."""
        if factor == 1:
            return terms
        return {monomial: small(coefficient * factor) for monomial, coefficient in terms.items()} if factor else ZERO

    def multiply(self, left: Sum, right: Sum) -> Sum:
        """The product, expanded."""
        if len(left) == 1 and () in left:
            return self.scale(right, left[()])
        if len(right) == 1 and () in right:
            return self.scale(left, right[()])
        atoms = len(next(iter(left), ())) + len(next(iter(right), ()))
        self.spend(len(left) * len(right) * (1 + atoms // 4))
        total: dict[Monomial, Number] = {}
        for one, factor in left.items():
            for other, coefficient in right.items():
                monomial, extra = product(one, other)
                value = total.get(monomial, 0) + factor * coefficient * extra
                if value:
                    total[monomial] = small(value)
                else:
                    total.pop(monomial, None)
        if len(total) > MAX_TERMS:
            raise NotReadError
        return total

    def divide(self, left: Sum, right: Sum) -> Sum:
        """The quotient.

        Raises:
            UndefinedError: the divisor is zero.
        """
        if len(right) == 1 and () in right:
            divisor = right[()]
            return {monomial: small(Fraction(coefficient, divisor)) for monomial, coefficient in left.items()}
        return self.multiply(left, self.power(right, -1))

    def power(self, base: Sum, exponent: Number) -> Sum:
        """A rational power: of a real number the real root, where there is one."""
        if exponent == 1 or (exponent > 0 and not base):
            return base
        if not base:
            raise UndefinedError
        if exponent == 0:
            return ONE
        if len(base) == 1:
            return self._monomial_power(base, exponent)
        if exponent == -1 and (inverse := _rationalised(self, base)) is not None:
            return inverse
        if exponent.denominator == 1 and exponent > 0 and self._expands(len(base), int(exponent)):
            result = base
            for _ in range(int(exponent) - 1):
                result = self.multiply(result, base)
            return result
        if exponent == Fraction(1, 2) and (root := _denested(self, base)) is not None:
            return root
        return self._sum_power(base, exponent)

    def raised(self, base: Sum, exponent: Sum) -> Sum:
        """Any power: a^(2n + 1) is a·(a^n)², so that the ways to write it meet."""
        constant = exponent.get((), 0)
        if len(exponent) == bool(constant):
            return self.power(base, constant)
        if not base:
            raise NotReadError
        result = self.power(base, constant) if constant else ONE
        whole = all(coefficient.denominator == 1 for coefficient in exponent.values())
        # (x²)^(n/2) is |x|^n: a power comes out of a root only where the exponent has none.
        powers = any(power != 1 and name[0] != "#" for monomial in base for name, power in monomial)
        if len(base) > 1 or base[min(base)] < 0 or (powers and not whole):
            parts: Iterable[tuple[Sum, Number]] = [(base, 1)]
        else:
            self.spend_on_factors(base[min(base)])
            parts = factors_of(base)
        for part, times in parts:
            for monomial, coefficient in exponent.items():
                if monomial:
                    power = self.atom("power", part, {monomial: 1})
                    result = self.multiply(result, self.power(power, coefficient * times))
        return result

    def atom(self, function: str, *arguments: Sum) -> Sum:
        """Something this arithmetic leaves as it is, known by its canonical name."""
        name = f"~{function}({';'.join(map(sum_key, arguments))})"
        if len(name) > LONG:  # names within names would grow with every level
            name = f"~{function}#{blake2b(name.encode(errors='surrogatepass'), digest_size=16).hexdigest()}"
        self.atoms[name] = Atom(function, arguments)
        return self.symbol(name)

    def _expands(self, terms: int, exponent: int) -> bool:
        return exponent <= MAX_EXPANSION and terms**exponent <= 4 * MAX_TERMS**2 and exponent * terms <= 4 * MAX_TERMS

    def _monomial_power(self, base: Sum, exponent: Number) -> Sum:
        ((monomial, coefficient),) = base.items()
        result = self._number_power(coefficient, exponent)
        if not monomial:
            return result
        if exponent.denominator > 1:
            under = tuple(pair for pair in monomial if not comes_out(*pair, exponent.denominator))
            if ("i", 1) in monomial:
                under = monomial
            if under:
                result = self.multiply(result, self._rooted({under: 1}, exponent))
                monomial = tuple(pair for pair in monomial if pair not in under)
        if exponent.denominator == 1 and abs(exponent) > 1 << 40:
            raise NotReadError
        whole, extra = reduced((name, power * exponent) for name, power in monomial)
        return self.multiply(result, {whole: extra})

    def _rooted(self, terms: Sum, exponent: Number) -> Sum:
        return self.power(self.atom("sum", terms), exponent)

    def _number_power(self, value: Number, exponent: Number) -> Sum:
        if value == 1:
            return ONE
        root = exponent.denominator
        self.spend(2 + (value.numerator.bit_length() + value.denominator.bit_length()) * min(64, root) // 64)
        if exponent.denominator == 1:
            size = max(abs(value.numerator), value.denominator).bit_length() * abs(exponent)
            if abs(value) != 1 and size > MAX_BITS:
                return self.symbol_power(value, exponent)
            self.spend(int(size) // 64)
            return self.number(small(Fraction(value) ** int(exponent)))
        if abs(exponent) > MAX_BITS or root > 64:
            raise NotReadError
        if value < 0:
            if root == 2:
                turned = self.power(self.symbol("i"), exponent.numerator)
                return self.multiply(turned, self._number_power(-value, exponent))
            if root % 2:
                return self.scale(self._number_power(-value, exponent), -1 if exponent.numerator % 2 else 1)
            return self._rooted({(): value}, exponent)
        self.spend_on_factors(value)
        factors = [(f"#{p}", n * exponent) for p, n in factored(value.numerator)]
        factors += [(f"#{p}", -n * exponent) for p, n in factored(value.denominator)]
        whole, extra = reduced(sorted(factors))
        return {whole: extra}

    def symbol_power(self, value: Number, exponent: Number) -> Sum:
        """A power too large to be written out."""
        return self.atom("power", {(): value}, {(): exponent})

    def _sum_power(self, base: Sum, exponent: Number) -> Sum:
        """Of a sum that is not expanded: its content and what all its terms share come out first."""
        scale = content(base)
        common = shared(base)
        if exponent.denominator > 1:  # of a quotient: the root of what is above the line and of what is below
            common = names_below(common, exponent.denominator)
        rest = {over(monomial, common): small(Fraction(value) / scale) for monomial, value in base.items()}
        outer = self._number_power(scale, exponent)
        if common:
            outer = self.multiply(outer, self.power({common: 1}, exponent))
        if exponent.denominator == 1 and rest[min(rest)] < 0:
            rest = self.scale(rest, -1)
            outer = self.scale(outer, -1 if exponent % 2 else 1)
        return self.multiply(outer, {((next(iter(self.atom("sum", rest)))[0][0], exponent),): 1})


def _surds(terms: Sum) -> list[str] | None:
    """The square roots (and i) in a sum of numbers; None if it holds anything else."""
    names: set[str] = set()
    for monomial in terms:
        for name, power in monomial:
            if name != "i" and not (name[0] == "#" and power.denominator == 2):
                return None
            names.add(name)
    return sorted(names)


def _rationalised(algebra: Algebra, terms: Sum) -> Sum | None:
    """One over a sum of square roots, without roots below the line; None for other sums."""
    names = _surds(terms)
    if names is None or len(names) > 4:
        return None
    above: Sum = ONE
    for name in names:
        conjugate = {
            monomial: -value if any(atom == name for atom, _ in monomial) else value
            for monomial, value in terms.items()
        }
        if conjugate == terms:
            continue
        above = algebra.multiply(above, conjugate)
        terms = algebra.multiply(terms, conjugate)
    if not terms:
        raise UndefinedError
    return algebra.scale(above, 1 / Fraction(terms[()])) if is_constant(terms) else None


def _denested(algebra: Algebra, terms: Sum) -> Sum | None:
    """√(a + b√c) as a sum of two roots, where a² - b²c is the square of a rational."""
    if len(terms) != 2 or () not in terms or _surds(terms) is None or any(n == "i" for m in terms for n, _ in m):
        return None
    first = terms[()]
    ((root, second),) = ((monomial, value) for monomial, value in terms.items() if monomial)
    squared = algebra.multiply({root: second}, {root: second})
    gap = first * first - squared.get((), 0)
    if first <= 0 or gap < 0:
        return None
    side = algebra.power({(): gap}, Fraction(1, 2)) if gap else ZERO
    if not is_constant(side):
        return None
    above, below = (first + side.get((), 0)) / Fraction(2), (first - side.get((), 0)) / Fraction(2)
    half = Fraction(1, 2)
    return algebra.add(
        algebra.power({(): small(above)}, half),
        algebra.power(algebra.number(small(below)), half),
        1 if second > 0 else -1,
    )
