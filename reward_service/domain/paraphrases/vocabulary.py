"""List words that the checks know: function words, words that ask or deny, number words."""

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType


def word_set(line: str) -> frozenset[str]:
    """Return the words of a line."""
    return frozenset(line.split())


FUNCTION_WORDS = word_set(
    "a about after all also an and any are as at be been being both but by can could did do does each every for from "
    "had has have he her his how i if in into is it its may might more most must no nor not of on one or other over "
    "same she should so some such than that the their them then there these they this those to under up was we were "
    "what when where which while who whose will with would you your"
)
_GENERIC = word_set(
    "answer calculate compute consider determine different equal equals equation evaluate exactly express expression "
    "find following form give given integer integers let many much number numbers positive possible provide real "
    "suppose total value values whole common coordinate coordinates decimal exact final format fraction interval "
    "lowest "
    "nearest notation ordered pair radical reduced simplest simplified simplify solution solutions terms units"
)
ASKING = word_set(
    "add answer approximate arrange break calculate change choose classify combine complete compute construct convert "
    "count decide describe determine divide draw enter estimate evaluate expand explain express factor fill find give "
    "graph how identify list match multiply name obtain order output perform plot prove provide rank rationalize "
    "reduce report return rewrite round select show simplify sketch solve sort state subtract tell transform verify "
    "what when where which who whose write"
)
DENYING = word_set(
    "not no never none neither nor cannot without except excluding excluded unable impossible squarefree"
)
"""Words, beside non- and -n't, that deny what follows."""
_PLAIN_DENIALS = word_set("no not none never cannot without")
BELOW, ABOVE = word_set("less fewer smaller lower shorter"), word_set("more greater larger bigger higher longer")
"""Words that compare, with "than" behind them."""
ALSO_DENYING = word_set(
    "absent any apart avoid avoiding avoids besides beyond composite delayed different disallowed disjoint "
    "disregarding distinct duplicates either empty exclude excludes exclusive exclusively fail failed failing fails "
    "false first forbidden free hidden if ignore ignored ignoring incomplete inconsistent incorrect incorrectly "
    "indistinguishable infinite invalid irreducible irrelevant lack lacking lacks missing off omit omits omitted "
    "omitting only other outside outstanding prohibited rather refuse regardless remaining remove removed "
    "restricted restriction singular skip skipped skipping skips through unanswered unavailable uncolored uncovered "
    "undefined unequal uneven unless unlike unlikely unmarked unoccupied unpainted unrelated unshaded until unused "
    "zero"
)
"""Words that can carry what a denial said: "distinct" for "no two the same"."""
IDLE_DENIALS = word_set("necessarily calculator scale drawn pictured shown both need radians am pm regard relevant")
"""A denial of these asks nothing: "not necessarily", "without a calculator", "in degrees, not radians"."""
BOUNDING = word_set("above below more less fewer greater larger smaller later earlier exceed exceeding")
"""A denial of these is a bound: "no more than 5"."""
ROUNDING = word_set(
    "round rounded rounding nearest closest approximate approximately approximation decimal decimals cents"
)
ROUNDED_TO = word_set(
    "whole integer one ones ten tens tenth hundred hundredth thousand thousandth cent cents dollar dollars percent "
    "degree percentage decimal"
)


def denies(word: str) -> bool:
    """Return whether a word denies what follows."""
    return word in _PLAIN_DENIALS or word.endswith("n't")


def stem(word: str) -> str:
    """Return a word without a common ending, so that its forms are equal."""
    for ending in ("ing", "ed", "es", "ly", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def content(words: tuple[str, ...]) -> frozenset[str]:
    """Return the stems of the words that say what a problem is about."""
    return frozenset(
        stem(word) for word in words if len(word) > 2 and word not in FUNCTION_WORDS and word not in _GENERIC
    )


UNITS: Mapping[str, int] = MappingProxyType({
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
})  # fmt: skip
TENS: Mapping[str, int] = MappingProxyType({
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
})  # fmt: skip
SCALES: Mapping[str, int] = MappingProxyType(
    {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
)
ORDINALS: Mapping[str, int] = MappingProxyType({
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16,
    "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30, "fortieth": 40,
    "fiftieth": 50, "sixtieth": 60, "seventieth": 70, "eightieth": 80, "ninetieth": 90, "hundredth": 100,
    "thousandth": 1000, "millionth": 10**6,
})  # fmt: skip
PARTS: Mapping[str, int] = MappingProxyType(
    {"half": 2, "halves": 2, "quarter": 4, "quarters": 4}
    | {word: value for word, value in ORDINALS.items() if value > 2}
    | {f"{word}s": value for word, value in ORDINALS.items() if value > 2}
)
"""Below the line: three quarters, two-thirds. A third alone may also be the one after the second."""

_IMPLYING: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("zero zeros zeroes origin positive negative nonnegative nonzero vanish vanishes root roots axis axes none no "
     "nothing empty initially", (0,)),
    ("unit single sole only once itself alone reciprocal inverse monic identity", (1,)),
    ("twice double doubled doubles doubling both pair pairs couple even halved halve halves half bisect bisects "
     "bisected bisector midpoint quadratic diameter radius alternate binary square squared squares root", (2,)),
    ("thrice triple tripled triples tripling triplet cubed cube cubes cubic", (3,)),
    ("quadruple quadrupled quartic quarter quarters quadrilateral quaternary", (4,)),
    ("pentagon pentagonal nickel nickels weekday weekdays", (5,)),
    ("hexagon hexagonal die dice", (6,)), ("ternary", (3,)), ("septenary", (7,)),
    ("heptagon week weeks", (7,)),
    ("octagon octagonal octal", (8,)),
    ("nonagon", (9,)),
    ("decagon decimal decade dime dimes digit digits common", (10,)), ("digit digits", (0, 9)),
    ("dozen dodecagon foot feet year years annually edge edges clock duodecimal", (12,)), ("year years", (365, 366)),
    ("equilateral", (3, 60)), ("right perpendicular acute obtuse complement complementary", (90,)),
    ("straight semicircle semicircular supplement supplementary upside halfway", (180,)), ("slope slopes", (45,)),
    ("circle circular revolution", (360,)), ("hour hours minute minutes", (60,)), ("day days", (24,)),
    ("percent percentage century", (100,)), ("letter letters alphabet", (26,)), ("deck", (4, 13, 52)),
    ("tetrahedron", (4, 6)), ("cube cuboid prism", (6, 8, 12)), ("octahedron", (6, 8, 12)),
    ("dodecahedron icosahedron", (12, 20, 30)), ("tomorrow overnight", (24,)), ("score", (20,)),
    ("hexadecimal", (16,)), ("quarter quarters", (25,)), ("yard yards", (3,)),
    ("penny pennies", (1,)), ("gross", (144,)), ("thousands", (1000,)),
)  # fmt: skip


def _implied() -> dict[str, frozenset[Fraction]]:
    found: dict[str, set[Fraction]] = {}
    for words, values in _IMPLYING:
        for word in words.split():
            found.setdefault(word, set()).update(map(Fraction, values))
    found["root"].add(Fraction(1, 2))
    found["coin"] = found["coins"] = {Fraction(1, 2), Fraction(50)}
    return {word: frozenset(values) for word, values in found.items()}


IMPLIED: Mapping[str, frozenset[Fraction]] = MappingProxyType(_implied())
"""Numbers that a word brings with it: they may stand in one text and be left unsaid in the other."""

FACTORS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "hour": (60, 3600), "hours": (60, 3600), "hr": (60,), "hrs": (60,), "minute": (60,), "minutes": (60,),
        "foot": (12,), "feet": (12,), "yard": (3, 36), "yards": (3, 36), "dozen": (12,), "decade": (10,),
        "decades": (10,), "century": (100,), "centuries": (100,), "week": (7,), "weeks": (7,), "day": (24,),
        "days": (24,), "meter": (100,), "meters": (100,), "m": (100,), "km": (1000,), "kilometer": (1000,),
        "kilometers": (1000,), "kg": (1000,), "kilograms": (1000,), "dollars": (100,),
        "dollar": (100,), "ton": (1000, 2000), "tons": (1000, 2000), "tonne": (1000,), "tonnes": (1000,),
        "liter": (1000,), "liters": (1000,), "litres": (1000,), "pound": (16,), "pounds": (16,),
    }
)  # fmt: skip
"""How many of a smaller unit are one: 3 hours may come as 180 minutes."""
