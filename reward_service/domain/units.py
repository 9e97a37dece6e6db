"""List units of measure: their symbols and spellings, what they measure, and their sizes."""

from typing import NamedTuple


class Unit(NamedTuple):
    """A unit by its symbol; `spellings` has the usual name first.

    `size` counts the smallest unit of the same measure here; both are empty where nobody compares sizes.
    """

    symbol: str
    measures: str
    size: int
    spellings: tuple[str, ...]

    @property
    def name(self) -> str:
        """The usual name."""
        return self.spellings[0] if self.spellings else self.symbol


_TABLE = (
    ("mm", "length", 10, "millimeter millimeters millimetre millimetres"),
    ("cm", "length", 100, "centimeter centimeters centimetre centimetres cms"),
    ("dm", "length", 1_000, "decimeter decimeters"),
    ("m", "length", 10_000, "meter meters metre metres"),
    ("km", "length", 10_000_000, "kilometer kilometers kilometre kilometres kms"),
    ("in", "length", 254, "inch inches"),
    ("ft", "length", 3_048, "foot feet"),
    ("yd", "length", 9_144, "yard yards yds"),
    ("mi", "length", 16_093_440, "mile miles"),
    ("s", "time", 1, "second seconds sec secs"),
    ("min", "time", 60, "minute minutes mins"),
    ("h", "time", 3_600, "hour hours hr hrs"),
    ("day", "time", 86_400, "day days"),
    ("week", "time", 604_800, "week weeks wk wks"),
    ("month", "time", 2_592_000, "month months"),
    ("year", "time", 31_536_000, "year years yr yrs"),
    ("mg", "mass", 1, "milligram milligrams"),
    ("g", "mass", 1_000, "gram grams gm"),
    ("kg", "mass", 1_000_000, "kilogram kilograms kgs"),
    ("lb", "mass", 453_592, "pound pounds lbs"),
    ("oz", "mass", 28_350, "ounce ounces"),
    ("ton", "mass", 907_184_000, "ton tons"),
    ("tonne", "mass", 1_000_000_000, "tonne tonnes"),
    ("mL", "capacity", 10, "milliliter milliliters millilitre millilitres ml"),
    ("L", "capacity", 10_000, "liter liters litre litres"),
    ("gal", "capacity", 37_854, "gallon gallons"),
    ("qt", "capacity", 9_464, "quart quarts"),
    ("pt", "capacity", 4_732, "pint pints"),
    ("cup", "capacity", 2_366, "cup cups"),
    ("cent", "money", 1, "cent cents"),
    ("dollar", "money", 100, "dollar dollars usd"),
    ("rad", "angle", 1, "radian radians"),
    ("degree", "angle", 2, "degree degrees deg"),
    ("euro", "", 0, "euro euros eur"),
    ("gbp", "", 0, "sterling"),
    ("yuan", "", 0, "yuan rmb cny"),
    ("yen", "", 0, "yen jpy"),
    ("rupee", "", 0, "rupee rupees inr"),
    ("percent", "", 0, "percent percents"),
    ("mph", "", 0, ""),
    ("unit", "", 0, "unit units"),
    ("C", "", 0, "celsius"),
    ("F", "", 0, "fahrenheit"),
    ("K", "", 0, "kelvin kelvins"),
    ("Hz", "", 0, "hertz hz"),
    ("N", "", 0, "newton newtons"),
    ("J", "", 0, "joule joules"),
    ("W", "", 0, "watt watts"),
    ("V", "", 0, "volt volts"),
    ("A", "", 0, "ampere amperes amp amps"),
    ("Pa", "", 0, "pascal pascals"),
    ("ohm", "", 0, "ohm ohms"),
    ("mol", "", 0, "mole moles mols"),
    ("T", "", 0, "tesla teslas"),
    ("eV", "", 0, "electronvolt electronvolts"),
    ("acre", "", 0, "acre acres"),
)
UNITS = tuple(Unit(symbol, measures, size, tuple(words.split())) for symbol, measures, size, words in _TABLE)
