"""Read units of measure: all spellings of a unit are equal, and different units never are."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from reward_service.domain.units import UNITS

_PREFIXED = frozenset(
    prefix + unit
    for prefix in "pnumckMG"
    for unit in ("m", "g", "s", "A", "V", "W", "J", "N", "Pa", "Hz", "L", "F", "C", "T", "H", "mol", "ohm", "eV", "Wb")
)
_SYMBOLS = frozenset(unit.symbol for unit in UNITS) | _PREFIXED | {
    "l", "nm", "um", "fm", "ms", "us", "ns", "ps", "kN", "mN", "kJ", "MJ", "kW", "MW", "mW", "kV", "mV", "MV",
    "mA", "kPa", "MPa", "GPa", "hPa", "kHz", "MHz", "GHz", "keV", "MeV", "GeV", "meV", "kcal", "cal", "kWh", "Wh",
    "bar", "atm", "mmol", "dB", "Wb", "Bq", "lx", "ppm", "rpm", "pF", "nF", "mH", "H", "kg", "ug", "cL", "dL", "ha",
    "AU", "kph", "mT", "S",
}  # fmt: skip
"""Units as they are written; their capitals count: mW is not MW."""
_CANONICAL: Mapping[str, str] = MappingProxyType(
    {unit: unit for unit in _SYMBOLS}
    | {word: unit.symbol for unit in UNITS for word in unit.spellings}
    | {"l": "L", "kph": "km*h^-1", "mph": "mi*h^-1", "kmh": "km*h^-1", "kmph": "km*h^-1"}
)
_ANY_CASE = frozenset(
    {word for unit in UNITS for word in unit.spellings} | {unit.symbol for unit in UNITS if len(unit.symbol) > 2}
) | {"cm", "km", "kg", "ft", "yd", "lb", "oz", "dm", "hz", "hr", "mph"}
"""Spellings that mean the same in capitals."""
_KNOWN_RAW = frozenset({
    "mm", "cm", "km", "mg", "kg", "mL", "kN", "kJ", "MJ", "kW", "MW", "mW", "kV", "mV", "MV", "mA", "kPa", "MPa", "GPa",
    "kHz", "MHz", "GHz", "keV", "MeV", "GeV", "meV", "mmol",
})  # fmt: skip
"""Units that a word right behind a number is taken for."""
_RAW = frozenset(_CANONICAL) - (_PREFIXED - _KNOWN_RAW) - {
    "m", "g", "l", "s", "h", "L", "C", "F", "K", "J", "N", "W", "V", "A", "T", "H", "S", "in", "us", "ms", "ns",
    "ps", "nm", "um", "fm", "ha", "bar", "cal", "AU",
}  # fmt: skip
LETTERS = frozenset({*"mgshLlCFKJNWVATHS", "in"}) | (_PREFIXED - _KNOWN_RAW)
"""Units that are names as well: 48 m may be a product."""
_POWERS: Mapping[str, int] = MappingProxyType({"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cubed": 3})
_WORD = re.compile(r"[A-Za-z]+|-?\s?\d+|/|[^\W\d_]+")
_LATIN_WORD = re.compile(r"[A-Za-z]+")
_LOWER_WORD = re.compile(r"[a-z]+|[^\W\d_a-z]+")
_MOST_WORDS = 6
_MULTIPLIERS: Mapping[str, int] = MappingProxyType(
    {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
)
_CHANGING = frozenset({
    "hundred", "thousand", "million", "billion", "trillion", "dozen", "half", "halves", "third", "thirds", "quarter",
    "quarters", "fourths", "fifths", "sixths", "sevenths", "eighths", "ninths", "tenths", "hundredths", "times", "plus",
    "minus", "over", "divided", "multiplied", "more", "less", "fewer", "least", "most", "remainder", "base", "point",
    "factorial", "mod", "modulo", "if", "unless", "except", "not", "to", "and", "or", "but", "below", "above", "under",
    "between", "pi", "root", "sqrt", "is", "are", "because", "when", "for", "where", "with", "negative", "exactly",
    "about", "approximately", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "choose",
    "dozens", "ago", "before", "after", "am", "pm",
})  # fmt: skip
"""Words that make another number of the one before them, or a statement about it."""


def unit_of(word: str) -> str | None:
    """Return a unit's one spelling; None for what is no unit."""
    unit = _CANONICAL.get(word)
    if unit is None and word.lower() in _ANY_CASE:
        unit = _CANONICAL[word.lower()] if word.lower() in _CANONICAL else word.lower()
    return unit


def is_unit(word: str) -> bool:
    r"""Whether a word means a unit wherever it stands after a number, without \text around it."""
    return word in _RAW or word.lower() in _ANY_CASE


def are_units(text: str) -> bool:
    """Whether all words of a text are units: `m/s` after a number is one, `x` is none."""
    words: list[str] = _LATIN_WORD.findall(text)
    return bool(words) and all(word in ("per", "sq", "square", "cubic") or unit_of(word) is not None for word in words)


def is_thing(word: str) -> bool:
    """Whether a raw word after a number says what is counted: 5 apples."""
    return (len(word) > 3 and word.isalpha() and word[1:].islower()) or word in ("per", "men", "pcs")


def multiplier(word: str) -> int:
    """The number that a word multiplies by: 5 million; 0 for other words."""
    return _MULTIPLIERS.get(word.strip().lower(), 0)


def says_what(words: str) -> bool:
    """Whether words behind a number say what it counts or measures, and do not change the number."""
    found: list[str] = _LOWER_WORD.findall(words.lower())
    if not found:
        return not words.strip()
    return (len(found) <= _MOST_WORDS and found[0] not in _POWERS and not _CHANGING.intersection(found)) or (
        len(found) > 1 and found[0] in ("square", "sq", "cubic") and not _CHANGING.intersection(found)
    )


def percent_of(words: str) -> str | None:
    """Return what a percentage is of: `increase` in `percent increase`; None where the words name no percentage."""
    first, _, rest = words.strip().partition(" ")
    return rest.strip() if first.lower() in ("percent", "percents") else None


def unit_key(text: str) -> str:
    """A unit's one spelling: `square centimeters`, `cm^{2}` and `sq cm` are cm^2. Unknown words stay as they are."""
    words: list[str] = _WORD.findall(text)[: 2 * _MOST_WORDS]
    words = [word.lower() if word.lower() in _POWERS else word for word in words]
    if all(word in _POWERS or word in ("per", "/") or _measures(word) for word in words):
        return _product(words)
    kept = [_counted(word) for word in words if word.lower() not in ("of", "the", "a", "an")]
    return " ".join(kept)


def _measures(word: str) -> bool:
    return word[-1].isdigit() or unit_of(word) is not None


def _product(words: list[str]) -> str:
    """Return a product of powers of units, in order of their names."""
    powers: dict[str, int] = {}
    sign, power, last, step = 1, 1, "", 0
    for word in words:
        if word in ("per", "/"):
            sign = -1
        elif word in ("square", "sq", "cubic"):
            power = _POWERS[word]
        elif word in _POWERS or word[-1].isdigit():
            times = _POWERS.get(word) or int(word.replace(" ", "")[:4])
            powers[last] = powers.get(last, 0) + step * (times - 1)
        else:
            for part in (unit_of(word) or word).split("*"):
                last, _, own = part.partition("^")
                step = sign * power * int(own or 1)
                powers[last] = powers.get(last, 0) + step
            power = 1
    if powers.get("degree") == 1 and len(powers) == 2 and (powers.get("C") == 1 or powers.get("F") == 1):
        del powers["degree"]  # degrees Celsius
    return "*".join(unit if power == 1 else f"{unit}^{power}" for unit, power in sorted(powers.items()))


def _counted(word: str) -> str:
    """Return what is counted in one spelling: small letters and no plural, but a short word's capitals count."""
    unit = unit_of(word)
    if unit is not None:
        return unit
    if len(word) > 2 and (word.istitle() or (len(word) > 3 and word.isupper())):
        word = word.lower()
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word.islower() else word
