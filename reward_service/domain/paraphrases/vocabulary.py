"""Words that the checks know: which say nothing of a problem, which ask, which deny, which exclude each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


def word_set(line: str) -> frozenset[str]:
    """The words of a line."""
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


def stem(word: str) -> str:
    """A word without a common ending, so that its forms meet."""
    for ending in ("ing", "ed", "es", "ly", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def content(words: tuple[str, ...]) -> frozenset[str]:
    """The stems of the words that say what a problem is about."""
    return frozenset(
        stem(word) for word in words if len(word) > 2 and word not in FUNCTION_WORDS and word not in _GENERIC
    )


@dataclass(frozen=True, slots=True)
class Concept:
    """Something that can be asked for: by which words it is named, and by which it may be said as well."""

    named: frozenset[str]
    said: frozenset[str]


def _concepts(**lines: str) -> Mapping[str, Concept]:
    """The words that name a concept, a bar, the words that may say it."""
    found: dict[str, Concept] = {}
    for name, line in lines.items():
        named, _, said = line.partition("|")
        found[name] = Concept(word_set(named), word_set(named + said))
    return MappingProxyType(found)


RIVALS: tuple[Mapping[str, Concept], ...] = (
    _concepts(
        area="area areas | space covered coverage cover",
        perimeter="perimeter perimeters circumference | around boundary fencing border outline edge edges length "
        "distance",
        volume="volume volumes | capacity hold holds cubic fit much space",
    ),
    _concepts(radius="radius radii | diameter wide center", diameter="diameter diameters | radius across wide width"),
    _concepts(
        sum="sum sums total | add adding combined altogether together overall combine combining collective aggregate",
        product="product products | multiply multiplied multiplying multiplication times *",
        difference="difference differences | subtract subtracted subtracting more less fewer apart gap minus exceed "
        "exceeds extra further change distance older younger taller",
        ratio="quotient ratio | divide divided dividing fraction proportion compare compared comparison times per "
        "relationship \\frac",
    ),
    _concepts(
        largest="largest greatest maximum highest biggest maximal maximize maximized maximizes longest max | most "
        "upper latest last best many far gcd more larger greater longer bigger",
        smallest="smallest least minimum fewest lowest minimal minimize minimized minimizes shortest min | earliest "
        "lower closest nearest first fastest lcm smaller less shorter next quickest",
    ),
    _concepts(
        probability="probability probabilities chance chances likelihood odds | likely percent",
        expectation="expected expectation | average mean long",
    ),
    _concepts(
        mean="mean average averages | expected equal fair typical",
        median="median | middle center central",
        mode="mode | common frequent frequently often popular appears",
        range="range | spread difference interval",
    ),
    _concepts(numerator="numerator | top", denominator="denominator | bottom"),
    _concepts(even="even | 2 two pairs divisible multiple", odd="odd | 2 two divisible multiple"),
    _concepts(
        increase="increase increased increasing rise rises growth grow grows | gain more change",
        decrease="decrease decreased decreasing fall falls drop drops decline declines loss reduction reduced | less "
        "change lower",
    ),
    _concepts(sine="sin sine", cosine="cos cosine", tangent="tan tangent | slope"),
    _concepts(units="ones units | last final unit end", tens="tens", hundreds="hundreds"),
    _concepts(
        first="first initial | start starting begin original beginning earliest one",
        last="last final | end ending eventually ultimately ends remaining finally bottom rightmost unchanged",
    ),
    _concepts(positive="positive | natural above > counting whole absolute", negative="negative | below < less"),
    _concepts(rows="row rows", columns="column columns"),
    _concepts(clockwise="clockwise", counterclockwise="counterclockwise anticlockwise counter"),
    _concepts(
        inscribed="inscribed incircle | inside within",
        circumscribed="circumscribed circumcircle | around outside",
    ),
)
"""Concepts that exclude each other: a paraphrase must not ask for another of the same row."""
