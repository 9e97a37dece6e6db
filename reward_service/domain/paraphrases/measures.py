"""Units of measure: what each measures, and how many of the smallest it is."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.tokens import TextToken
from reward_service.domain.paraphrases.vocabulary import word_set

_TABLE = (
    ("length", "mm millimeter millimeters millimetre millimetres", 10),
    ("length", "cm centimeter centimeters centimetre centimetres", 100),
    ("length", "meter meters metre metres", 10_000),
    ("length", "km kilometer kilometers kilometre kilometres", 10_000_000),
    ("length", "inch inches", 254),
    ("length", "foot feet ft", 3048),
    ("length", "yard yards yd", 9144),
    ("length", "mile miles mi", 16_093_440),
    ("time", "second seconds sec secs", 1),
    ("time", "minute minutes min mins", 60),
    ("time", "hour hours hr hrs hourly", 3600),
    ("time", "day days daily", 86_400),
    ("time", "week weeks weekly", 604_800),
    ("time", "month months monthly", 2_592_000),
    ("time", "year years yearly annual annually", 31_536_000),
    ("mass", "mg milligram milligrams", 1),
    ("mass", "gram grams", 1000),
    ("mass", "kg kilogram kilograms", 1_000_000),
    ("mass", "lb lbs pound pounds", 453_592),
    ("mass", "oz ounce ounces", 28_350),
    ("mass", "ton tons", 907_184_000),
    ("capacity", "ml milliliter milliliters millilitre", 10),
    ("capacity", "liter liters litre litres", 10_000),
    ("capacity", "gallon gallons", 37_854),
    ("capacity", "quart quarts", 9464),
    ("capacity", "pint pints", 4732),
    ("capacity", "cup cups", 2366),
    ("money", "cent cents", 1),
    ("money", "dollar dollars", 100),
    ("angle", "radian radians", 1),
    ("angle", "degree degrees", 2),
)
_LETTERS: Mapping[str, str] = MappingProxyType({"m": "meter", "g": "gram", "h": "hour", "s": "second", "in": "inch"})
"""Only right behind a number: a letter may be anything."""
_BEHIND = word_set("and apart away by deep from high in is long of per square tall to wide")
_AMBIGUOUS = frozenset({"second", "min", "mi", "pound", "cup", "cups"})


class Unit(NamedTuple):
    """A unit by its usual name; `size` in the smallest one of what it measures."""

    measures: str
    name: str
    size: int


class Measured(NamedTuple):
    """A unit in a text, with the number in front of it, if there is one."""

    unit: Unit
    value: Fraction | None
    start: int
    end: int


def _units() -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for measures, words, size in _TABLE:
        names = words.split()
        name = names[1] if len(names[0]) < 3 and len(names) > 1 else names[0]
        found.update({word: Unit(measures, name, size) for word in names})
    return found


UNITS: Mapping[str, Unit] = MappingProxyType(_units())


def measured(tokens: Sequence[TextToken], mentions: Sequence[Mention]) -> list[Measured]:
    """The units of a text, in its order."""
    numbers = {mention.end: mention.value for mention in mentions}
    following = {mention.start: mention.value for mention in mentions}
    found: list[Measured] = []
    for at, token in enumerate(tokens):
        if token.text in ("$", "\\$") and at + 1 < len(tokens) and tokens[at + 1].start in following:
            found.append(Measured(UNITS["dollar"], following[tokens[at + 1].start], token.start, token.end))
            continue
        letter = token.text in _LETTERS and _stands_alone(tokens, at)
        unit = UNITS.get(_LETTERS[token.text] if letter else token.text)
        if unit is None:
            continue
        value = _number_before(tokens, at, numbers)
        if value is not None or not (letter or token.text in _AMBIGUOUS):
            found.append(Measured(unit, value, token.start, token.end))
    return found


def _number_before(tokens: Sequence[TextToken], at: int, numbers: Mapping[int, Fraction]) -> Fraction | None:
    """5 of "5 feet", "5-foot" and "5 square feet"."""
    here = at - 1
    while here >= 0 and tokens[here].text in ("-", "square", "cubic", "}", "$"):
        here -= 1
    return numbers.get(tokens[here].end) if here >= 0 else None


def _stands_alone(tokens: Sequence[TextToken], at: int) -> bool:
    r"""8 m and 8\text{ m}, but neither 8m of a formula nor 8 in the lead."""
    if tokens[at].kind == "letter":
        return False
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    return tokens[at].math or following is None or following.kind in ("sign", "break") or following.text in _BEHIND
