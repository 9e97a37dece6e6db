"""Read digits as numbers, within a limit."""

from fractions import Fraction

from reward_service.domain.answers.values import NotReadError, Number

MAX_DIGITS = 3900


def integer(text: str) -> int:
    """Read digits; NotReadError if they are too many."""
    if len(text) > MAX_DIGITS:
        raise NotReadError
    return int(text)


def decimal(text: str) -> Number:
    """Read a decimal, exactly; NotReadError if it is too long."""
    if len(text) > MAX_DIGITS:
        raise NotReadError
    above, _, places = text.partition(".")
    value = Fraction(int(above + places), 10 ** len(places))
    return value.numerator if value.denominator == 1 else value


def repeating(text: str, period: str) -> Fraction:
    """Read 0.1 and the period 6 as one sixth; NotReadError if they are no digits, or too many."""
    if not period.isdigit() or len(text) + len(period) >= MAX_DIGITS:
        raise NotReadError
    digits = len(text.partition(".")[2])
    return Fraction(text) + Fraction(int(period), 10**digits * (10 ** len(period) - 1))


def base_of(value: Number) -> int:
    """Return a base between 2 and 36; NotReadError for another."""
    if value.denominator != 1 or not 2 <= value <= 36:
        raise NotReadError
    return int(value)
