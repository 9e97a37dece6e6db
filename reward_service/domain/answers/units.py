"""Read units of measure: all spellings of a unit are equal, and different units never are."""

import re
from collections.abc import Mapping
from types import MappingProxyType

_SPELLINGS = {
    "mm": "millimeter millimeters millimetre millimetres",
    "cm": "centimeter centimeters centimetre centimetres cms",
    "dm": "decimeter decimeters",
    "m": "meter meters metre metres",
    "km": "kilometer kilometers kilometre kilometres kms",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard yards yds",
    "mi": "mile miles",
    "mg": "milligram milligrams",
    "g": "gram grams gm",
    "kg": "kilogram kilograms kgs",
    "lb": "lbs pound pounds",
    "oz": "ounce ounces",
    "ml": "milliliter milliliters millilitre millilitres",
    "l": "liter liters litre litres",
    "s": "sec secs second seconds",
    "min": "mins minute minutes",
    "h": "hr hrs hour hours",
    "day": "days",
    "week": "weeks",
    "month": "months",
    "year": "years yr yrs",
    "degree": "degrees deg",
    "rad": "radian radians",
    "dollar": "dollars usd",
    "cent": "cents",
    "euro": "euros",
    "percent": "percents",
    "mph": "miles/hour mi/h mi/hr mile/hour miles/hr",
    "unit": "units",
    "gal": "gallon gallons",
    "pt": "pint pints",
    "qt": "quart quarts",
    "c": "celsius",
    "f": "fahrenheit",
    "k": "kelvin",
    "hz": "hertz",
    "n": "newton newtons",
    "j": "joule joules",
    "w": "watt watts",
    "v": "volt volts",
}
_CANONICAL: Mapping[str, str] = MappingProxyType(
    {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in [unit, *spellings.split()]}
)
_RAW = frozenset(_CANONICAL) - {*"mglshcfknjwv", "in"}
_POWERS: Mapping[str, str] = MappingProxyType({"square": "2", "sq": "2", "squared": "2", "cubic": "3", "cubed": "3"})
_WORD = re.compile(r"[a-z]+|\d+|/|[^\W\d_]+")
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
})  # fmt: skip
"""Words that make another number of the one before them, or a statement about it."""


def is_unit(word: str) -> bool:
    r"""Whether a word means a unit wherever it stands after a number, without \text around it."""
    return word.lower() in _RAW


def are_units(text: str) -> bool:
    """Whether all words of a text are units: `m/s` after a number is one, `x` is none."""
    words = re.findall(r"[a-z]+", text.lower())
    return bool(words) and all(word in _CANONICAL or word == "per" for word in words)


def is_thing(word: str) -> bool:
    """Whether a raw word after a number says what is counted: 5 apples."""
    return len(word) > 3 and word.isalpha() and word[1:].islower()


def multiplier(word: str) -> int:
    """The number that a word multiplies by: 5 million; 0 for other words."""
    return _MULTIPLIERS.get(word.strip().lower(), 0)


def says_what(words: str) -> bool:
    """Whether words behind a number say what it counts or measures, and do not change the number."""
    found: list[str] = re.findall(r"[a-z]+", words.lower())
    if not found:
        return not words.strip()
    return (len(found) <= _MOST_WORDS and found[0] not in _POWERS and not _CHANGING.intersection(found)) or (
        len(found) > 1 and found[0] in ("square", "sq", "cubic") and not _CHANGING.intersection(found)
    )


def unit_key(text: str) -> str:
    """A unit's one spelling: `square centimeters`, `cm^{2}` and `sq cm` are cm2. Unknown words stay as they are."""
    powers, kept = "", ""
    words: list[str] = _WORD.findall(text.lower())
    for word in words[:_MOST_WORDS]:
        if word in ("per", "/"):
            kept += powers + "/"
            powers = ""
        elif word in _POWERS:
            if word.endswith("d"):
                kept += _POWERS[word]
            else:
                powers = _POWERS[word]
        elif word.isdigit():
            kept += word
        elif word in ("of", "the", "a", "an"):
            continue
        else:
            spelled = _CANONICAL.get(word) or (word[:-1] if len(word) > 3 and word[-1] == "s" else word)
            kept += (" " if kept and kept[-1].isalpha() else "") + spelled + powers
            powers = ""
    return _CANONICAL.get(kept, kept)
