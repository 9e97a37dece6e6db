"""Find the numbers of a text: in digits, in words, as fractions, percentages, powers and bounds."""

import math
import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from reward_service.domain.paraphrases.equivalents import between, equivalents, repeating
from reward_service.domain.paraphrases.tokens import TextToken
from reward_service.domain.paraphrases.vocabulary import FACTORS, ORDINALS, PARTS, SCALES, TENS, UNITS

MOST_DIGITS = 40
_NOT_DIGITS = re.compile(r"[^\d.]")
_MOST_POWER = 12
_JOINED = frozenset({*UNITS, *TENS, *SCALES})
_BELOW = frozenset({"less", "fewer", "smaller", "lower", "shorter"})
_ABOVE = frozenset({"more", "greater", "larger", "bigger", "higher", "longer"})
_BELOW_ALONE = frozenset({"<", "below", "under"})
_ABOVE_ALONE = frozenset({">", "above", "over", "exceeds", "exceed", "exceeding"})


class Mention(NamedTuple):
    """A number in a text, and where.

    `values` are what it may mean (50 % is 50 and 1/2), `parts` what it is written with (1 and 2 of one half, 2 and 3 of
    2^3), `within` the nearest whole number inside a strict bound (99 of "less than 100", or of `between` 1 and 100).
    """

    values: tuple[Fraction, ...]
    start: int
    end: int
    parts: tuple[Fraction, ...] = ()
    within: Fraction | None = None
    digits: bool = True
    label: bool = False
    between: bool = False

    @property
    def value(self) -> Fraction:
        """What it means first of all."""
        return self.values[0] if self.values else self.parts[0]

    @property
    def size(self) -> Fraction:
        """The largest number it is written with: 4 of 3/4."""
        return max((self.value, *self.parts))


def mentions_of(tokens: Sequence[TextToken]) -> list[Mention]:
    """All of a text's numbers, in its order."""
    found: list[Mention] = []
    at = 0
    while at < len(tokens):
        if (read := _mention(tokens, at)) is None:
            at += 1
            continue
        mention, used = read
        if mention.within is None and len(mention.values) == 1:
            inside = between(tokens, at, at + used, mention.value)
            mention = mention._replace(within=inside, between=inside is not None)
        if mention.digits and mention.values:
            others = equivalents(tokens, at, at + used - 1, mention.value)
            mention = mention._replace(values=(*mention.values, *others))
        found.append(mention)
        at += used
    return found


def _mention(tokens: Sequence[TextToken], at: int) -> tuple[Mention, int] | None:
    """The number that begins at a token, and how many tokens it takes."""
    token = tokens[at]
    if _is_rounding(tokens, at):
        return None
    if token.kind == "number":
        return _digits(tokens, at)
    if token.kind == "ordinal":
        return Mention((_value(token.text[:-2]),), token.start, token.end), 1
    if token.kind == "command":
        return (_fraction(tokens, at) or _angle(tokens, at)) if token.text == "\\frac" else None
    return _words(tokens, at) if token.kind == "word" else None


def _is_rounding(tokens: Sequence[TextToken], at: int) -> bool:
    """Whether a number only says how to round: the nearest tenth, two decimal places; not the 100th decimal place."""
    if _text(tokens, at - 1) == "nearest":
        return True
    cardinal = tokens[at].kind == "number" or tokens[at].text in UNITS
    return cardinal and _text(tokens, at + 1) in ("decimal", "significant")


def _digits(tokens: Sequence[TextToken], at: int) -> tuple[Mention, int]:
    token, value = tokens[at], _value(tokens[at].text)
    one, two = _text(tokens, at + 1), _text(tokens, at + 2)
    if one == "/" and _kind(tokens, at + 2) == "number":
        return _composite(token, tokens[at + 2], value, _value(two)), 3
    if one == "\\frac" and (part := _fraction(tokens, at + 1)) is not None:
        mixed, used = part
        values = tuple(value + each for each in mixed.values)
        return Mention(values, token.start, mixed.end, (value, *mixed.parts)), used + 1
    if one == "." and two == "\\overline" and (periodic := _repeating(tokens, at)) is not None:
        return periodic
    if one == "^" and (power := _power(tokens, at, value)) is not None:
        return power
    if one in ("%", "percent"):
        return Mention((value, value / 100), token.start, tokens[at + 1].end), 2
    if one in SCALES and one != "dozen":
        return Mention((value * SCALES[one],), token.start, tokens[at + 1].end), 2
    part = _and_part(tokens, at + 1)
    if part is not None:
        values = (value + part, *_other_values(value + part, tokens, at + 4))
        return Mention(values, token.start, tokens[at + 3].end, (value, part)), 4
    under = at - 1 - (_text(tokens, at - 1) == "{")
    label = _text(tokens, under) == "_" and (_kind(tokens, under - 1) == "letter" or _text(tokens, under - 1) == "}")
    values = (value, *_other_values(value, tokens, at + 1))
    parts: tuple[Fraction, ...] = ()
    if "." in token.text:
        whole, _, rest = token.text.partition(".")
        parts = (_value(whole), _value(rest))
    return Mention(values, token.start, token.end, parts, _within(value, tokens, at, at + 1), label=label), 1


def _repeating(tokens: Sequence[TextToken], at: int) -> tuple[Mention, int] | None:
    r"""Read 0.\overline{37}: 37/99."""
    last = at + 3 + (_text(tokens, at + 3) == "{")
    whole, period = tokens[at].text.replace(",", ""), _text(tokens, last)
    if not (whole.isdecimal() and period.isdecimal()) or max(len(whole), len(period)) > _MOST_POWER:
        return None
    last += _text(tokens, last + 1) == "}"
    return Mention(tuple(repeating(whole, "", period)), tokens[at].start, tokens[last].end), last - at + 1


def _power(tokens: Sequence[TextToken], at: int, base: Fraction) -> tuple[Mention, int] | None:
    """2^3 and 2^{3}: 8, written with 2 and 3; None for what is no number or too large."""
    braced = _text(tokens, at + 2) == "{"
    last = at + 2 + braced
    if _kind(tokens, last) != "number" or (braced and _text(tokens, last + 1) != "}"):
        return None
    exponent = _value(tokens[last].text)
    if exponent.denominator != 1 or exponent > _MOST_POWER or base > 10**6:
        return None
    value = base ** int(exponent)
    return Mention((value,), tokens[at].start, tokens[last].end, (base, exponent)), 3 + 2 * braced


def _fraction(tokens: Sequence[TextToken], at: int) -> tuple[Mention, int] | None:
    r"""\frac{1}{2} and \frac12; None where more than a number stands above or below."""
    numbers: list[TextToken] = []
    here = at + 1
    while len(numbers) < 2:
        braced = _text(tokens, here) == "{"
        here += braced
        if _kind(tokens, here) != "number" or (braced and _text(tokens, here + 1) != "}"):
            return None
        numbers.append(tokens[here])
        here += 1 + braced
    above, below = numbers
    return _composite(tokens[at], tokens[here - 1], _value(above.text), _value(below.text)), here - at


def _angle(tokens: Sequence[TextToken], at: int) -> tuple[Mention, int] | None:
    r"""\frac{\pi}{3} and \frac{7\pi}{6}: 60 and 210 degrees, written with 3, with 7 and 6."""
    here = at + 2
    above = _kind(tokens, here) == "number"
    wanted = ["\\frac", "{", *([tokens[here].text] if above else []), "\\pi", "}", "{"]
    below = at + len(wanted)
    if [_text(tokens, at + each) for each in range(len(wanted))] != wanted or _kind(tokens, below) != "number":
        return None
    times, parts = _value(tokens[here].text) if above else Fraction(1), _value(tokens[below].text)
    if _text(tokens, below + 1) != "}" or not parts:
        return None
    written = (times, parts) if above else (parts,)
    return Mention((180 * times / parts,), tokens[at].start, tokens[below + 1].end, written), len(wanted) + 2


def _composite(first: TextToken, last: TextToken, above: Fraction, below: Fraction, *, digits: bool = True) -> Mention:
    values = (above / below,) if below else ()
    return Mention(values, first.start, last.end, (above, below), digits=digits)


def _words(tokens: Sequence[TextToken], at: int) -> tuple[Mention, int] | None:
    """twenty-five, one hundred and five, three quarters, half, third."""
    read = _cardinal(tokens, at)
    if read is None:
        return _part(tokens, at)
    total, here = read
    ordinal = here + (_text(tokens, here) == "-")
    word = _text(tokens, ordinal)
    if word in ORDINALS and total % 100 in TENS.values():
        return Mention((Fraction(total + ORDINALS[word]),), tokens[at].start, tokens[ordinal].end, digits=False), (
            ordinal + 1 - at
        )
    plural = word.endswith("s") or word in ("half", "quarter") or total == 1
    if word in PARTS and plural and _text(tokens, ordinal + 1) not in ("coin", "coins"):
        part = _composite(tokens[at], tokens[ordinal], Fraction(total), Fraction(PARTS[word]), digits=False)
        return part._replace(values=part.values + _other_values(part.value, tokens, ordinal + 1)), ordinal + 1 - at
    value = Fraction(total)
    part = _and_part(tokens, here)
    if part is not None:
        values = (value + part, *_other_values(value + part, tokens, here + 3))
        return Mention(values, tokens[at].start, tokens[here + 2].end, (value, part), digits=False), here + 3 - at
    values = (value, *_other_values(value, tokens, here))
    within = _within(value, tokens, at, here)
    return Mention(values, tokens[at].start, tokens[here - 1].end, within=within, digits=False), here - at


def _cardinal(tokens: Sequence[TextToken], at: int) -> tuple[int, int] | None:
    """The value of a cardinal number, and the token behind it."""
    total, part, here = 0, 0, at
    while here < len(tokens) and here < at + _MOST_POWER:
        word = tokens[here].text
        if word in UNITS and (here == at or part % 100 == 0 or (part % 100 in TENS.values() and UNITS[word] < 10)):
            if here > at and total == part == 0:
                break
            part += UNITS[word]
        elif word in TENS and (here == at or (part % 100 == 0 and total + part > 0)):
            part += TENS[word]
        elif word in SCALES and here > at:
            part *= SCALES[word]
            if SCALES[word] > 100:
                total, part = total + part, 0
                joined = here + 1 + (_text(tokens, here + 1) == "-")
                if _text(tokens, joined) not in _JOINED:
                    here += 1
                    break
        else:
            break
        here += 1
        joined = _text(tokens, here) == "-" or (_text(tokens, here) == "and" and part % 100 == 0 and part > 0)
        if joined and _text(tokens, here + 1) in _JOINED:
            here += 1
    return (total + part, here) if here > at else None


def _and_part(tokens: Sequence[TextToken], at: int) -> Fraction | None:
    """1/2 of "three and a half"."""
    if _text(tokens, at) == "and" and _text(tokens, at + 1) in ("a", "one") and _text(tokens, at + 2) in PARTS:
        return Fraction(1, PARTS[_text(tokens, at + 2)])
    return None


def _part(tokens: Sequence[TextToken], at: int) -> tuple[Mention, int] | None:
    token = tokens[at]
    if token.text in ("half", "quarter", "dozen"):
        value = Fraction(SCALES.get(token.text) or PARTS[token.text])
        others = _other_values(1 / value, tokens, at + 1)
        return Mention((1 / value, value, *others), token.start, token.end, digits=False), 1
    if token.text in ORDINALS:
        value = Fraction(ORDINALS[token.text])
        return Mention((value, 1 / value), token.start, token.end, digits=False), 1
    return None


def _other_values(value: Fraction, tokens: Sequence[TextToken], after: int) -> tuple[Fraction, ...]:
    """What the word behind a number makes of it: 3 hours are 180, three digits go from 100 to 999."""
    word = _text(tokens, after)
    while word in ("-", "of", "a", "an", "full"):
        after += 1
        word = _text(tokens, after)
    if word in ("digit", "digits") and value.denominator == 1 and 0 < value <= _MOST_POWER:
        least, most = 10 ** (int(value) - 1), 10 ** int(value)
        return tuple(map(Fraction, (least, most, least - 1, most - 1)))
    if word in FACTORS:
        return tuple(value * factor for factor in FACTORS[word])
    if word == "!" and value.denominator == 1 and value <= _MOST_POWER:
        return (Fraction(math.factorial(int(value))),)
    return ()


def _within(value: Fraction, tokens: Sequence[TextToken], at: int, after: int) -> Fraction | None:
    """The whole number just inside a strict bound: 99 of "less than 100"; "5 less than x" bounds nothing."""
    at -= _text(tokens, at - 1) in ("$", "\\$")
    last, compared, before = (_text(tokens, at - back) for back in (1, 2, 3))
    if last == "than":
        if before in ("no", "not") or before in UNITS or _kind(tokens, at - 3) == "number":
            return None
        return value - 1 if compared in _BELOW else value + 1 if compared in _ABOVE else None
    if last in _BELOW_ALONE or _text(tokens, after) == ">":
        return value - 1
    if last in _ABOVE_ALONE or _text(tokens, after) == "<":
        return value + 1
    return None


def _text(tokens: Sequence[TextToken], at: int) -> str:
    return tokens[at].text if 0 <= at < len(tokens) else ""


def _kind(tokens: Sequence[TextToken], at: int) -> str:
    return tokens[at].kind if 0 <= at < len(tokens) else ""


def _value(text: str) -> Fraction:
    if len(text) == 1 and not text.isdecimal():
        return Fraction(unicodedata.numeric(text, 0.0)).limit_denominator(100)
    return Fraction(_NOT_DIGITS.sub("", text)[:MOST_DIGITS].rstrip(".") or "0")
