"""List things that can be asked for: the words that name them, and what else says them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reward_service.domain.paraphrases.vocabulary import word_set


@dataclass(frozen=True, slots=True)
class Concept:
    """A thing that can be asked for: the words that name it, and the words by which it may be said as well.

    One with rivals is new only where the original names one of them.
    """

    named: frozenset[str]
    said: frozenset[str]
    rivals: frozenset[str] = frozenset()


def _concepts(**lines: str) -> Mapping[str, Concept]:
    """Read a line: the words that name a concept, a bar, the words that may say it."""
    found: dict[str, Concept] = {}
    for name, line in lines.items():
        named, _, said = line.partition("|")
        found[name] = Concept(word_set(named), word_set(named + said))
    return MappingProxyType(found)


OPERATIONS = _concepts(
    sum="sum sums total | add adding combined altogether together overall combine combining collective aggregate",
    product="product products | multiply multiplied multiplying multiplication times *",
    difference="difference differences | subtract subtracted subtracting more less fewer apart gap minus exceed "
    "exceeds extra further change distance older younger taller",
    ratio="ratio | quotient divide divided dividing fraction proportion compare compared comparison times per "
    "relationship \\frac",
)
"""What two numbers or letters may be put together to."""

RIVALS: tuple[Mapping[str, Concept], ...] = (
    _concepts(
        area="area areas | space covered coverage cover",
        perimeter="perimeter perimeters circumference | around boundary fencing border outline edge edges length "
        "distance",
        volume="volume volumes | capacity hold holds cubic fit much space",
    ),
    _concepts(radius="radius radii | diameter wide center", diameter="diameter diameters | radius across wide width"),
    OPERATIONS,
    _concepts(
        quotient="quotient | divide divided divides dividing division \\frac / ÷ ratio fraction times goes",
        remainder="remainder remainders | residue mod modulo \\pmod \\bmod \\equiv left leftover leaves remain remains "
        "remaining",
    ),
    _concepts(
        largest="largest greatest maximum highest biggest maximal maximize maximized maximizes longest max | most "
        "upper latest last best many far gcd more larger greater longer bigger",
        smallest="smallest least minimum fewest lowest minimal minimize minimized minimizes shortest min | earliest "
        "lower closest nearest first fastest lcm smaller less shorter next quickest",
    ),
    _concepts(
        probability="probability probabilities chance chances likelihood | odds likely percent",
        odds="odds | likely",
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


def _new(name: str, said: str, rivals: str = "") -> Concept:
    return Concept(word_set(name), word_set(f"{name} {said}"), word_set(rivals))


_LARGEST, _SMALLEST = "largest greatest maximum highest biggest maximal", "smallest minimum lowest minimal fewest"


_LENGTHS = "around about boundary fence fencing border outline edge edges enclose encloses side sides length lengths"
NEW: tuple[Concept, ...] = (
    _new("sum sums", "total totals add adds added adding addition plus + \\sum combine combined altogether together "
         "overall aggregate collective count series accumulated all up"),
    _new("product products", "* times multiply multiplied multiplies multiplying multiplication \\prod ab ! factorial "
         "factor factors matrix multiple item items"),
    _new("difference differences", "- minus subtract subtracts subtracted subtracting subtraction differ differs "
         "more less fewer exceed exceeds older younger taller shorter longer greater than between apart gap change "
         "extra range"),
    _new("quotient quotients", "\\frac / ÷ ratio fraction q"),
    _new("remainder remainders", "residue residues mod modulo \\pmod \\bmod \\mod \\equiv left leftover leftovers "
         "leave leaves leaving remain remains remaining"),
    _new("odds", "odd likely"),
    _new("area areas", "cover covers covered coverage square sq region regions \\text surface space size ^2 acres "
         "product * ab ["),
    _new("perimeter perimeters circumference", f"circumferences {_LENGTHS}"),
    _new("volume volumes", "capacity hold holds cubic fit fill filled water cube space content determinant"),
    _new("radius radii", "diameter diameters wide center"),
    _new("diameter diameters", "radius radii across wide width"),
    _new("probability probabilities", "chance chances likelihood likely odds random randomly percent expected P"),
    _new("median medians", "middle"),
    _new("reciprocal reciprocals", "inverse inverses \\frac / ^-"),
    _new("cube_of cubed", "cube cubes cubic third ^3 volume"),
    _new("square_of squared", "square squares ^2 \\sqrt root second quadratic perfect"),
    _new(_LARGEST, "maximize maximized maximizes longest max most upper "
         "latest last best many far gcd more larger greater longer bigger common farthest furthest "
         "\\max \\gcd supremum bound big "
         "\\lfloor floor top increasing decreasing descending ascending order degree divides large optimal",
         f"{_SMALLEST} least min"),
    _new(_SMALLEST, "least minimize minimized minimizes shortest min earliest lower "
         "closest nearest first fastest lcm smaller less shorter next quickest \\min low infimum common cheapest "
         "\\lceil ceiling bottom increasing decreasing descending ascending order must need needed ensure",
         f"{_LARGEST} max"),
)  # fmt: skip
"""Things that a paraphrase may ask for only if the original says them in some way."""
