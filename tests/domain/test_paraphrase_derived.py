"""Numbers that one text works out and the other leaves to do, and faults that look like it."""

import pytest

from reward_service.domain.paraphrases.checks.figures import figure_kept
from reward_service.domain.paraphrases.checks.numbers import numbers_kept
from reward_service.domain.paraphrases.checks.units import units_kept
from reward_service.domain.paraphrases.pairs import Tolerances, pair_of
from reward_service.domain.paraphrases.quantities import mentions_of
from reward_service.domain.paraphrases.tokens import segments_of, tokens_of

KEPT = [
    ("Find the area of $x^2+y^2-7=4y-14x+3$.", "What area does $x^2+y^2+14x-4y-10=0$ enclose?"),
    ("Evaluate $\\frac{35}{6-\\frac{2}{5}}$.", "What is $\\frac{35}{\\frac{28}{5}}$?"),
    ("Compute $\\sum \\frac{6^k}{5}$.", "Evaluate $\\sum \\frac{(2 \\cdot 3)^k}{5}$."),
    ("A club has 20 members, 10 boys and 10 girls.", "There are 10 boys and 10 girls in a club."),
    ("A club has 20 members, 10 boys and 10 girls.", "Half of the 20 members of a club are boys, half are girls."),
    ("He skates 1 hr 15 min on 5 days and 1 hr 30 min on 8.", "He skates 75 minutes on 5 days and 90 minutes on 8."),
    ("Is its square root between 25 and 25.3?", "Is the number between 625 and 640.09?"),
    ("How many digits $A$ divide 40?", "How many digits $A$ from 0 to 9 divide 40?"),
    ("The sum of all 12 edges of a box is 13.", "All edges of a box have a total length of 13."),
    ("The 108 students of the AMC 8 meet.", "There are 108 students at a contest."),
    ("Find the sum of $16+16+16+16$.", "What are 4 terms of 16 together?"),
    ("Compute $-1-3-9-27-81-243$.", "Multiply by 3 six times, from $-1$ on, and add. The first is 1, then 3."),
    ("He rides 12 miles for three and a half hours.", "For 3.5 hours he rides 12 miles."),
    ("Multiply 7 by $1024$.", "What is 7 times one-thousand-twenty-four?"),
    ("Factor $36-9x^2$.", "Write $9(4-x^2)$ as a product."),
    ("Given $\\binom{17}{10}=19448$, find $\\binom{18}{12}$.", "If $\\binom{17}{7}=19448$, what is $\\binom{18}{6}$?"),
    ("Find the fourth number in row 15 of the triangle.", "What is the fourth number in the 16th row of the triangle?"),
    ("A leg of a right triangle is 12, opposite to an angle of $30^\\circ$.",
     "A leg of a right triangle is 12, beside an angle of $60^\\circ$."),
    ("Find $w$ with $5^65^w=25$.", "For which $w$ is $5^6 \\cdot 5^w = 5^2$?"),
    ("Its faces are numbered from 1 to 8 and from 10 to 20.", "Its faces have 1 to 8, not 9, and 10 to 20."),
]  # fmt: skip

FAULTS = [
    ("Add 180 to a number that 2 divides.", "Add 182 to a number that 2 divides."),
    ("A foot has 12 inches, and 34 inches are his waist.", "1 foot equals 13 inches, and his waist is 34 inches."),
    ("A steer weighs 200 kg. What is 1 pound?", "If this is 1 pound, what is 199 kg?"),
    ("A rectangle has sides of 24 and 10.", "A garden of 24 by 100 meters is rectangular."),
    ("If $a=2$ when $b=81$, and $a>3$ else, find $b$.", "Given $a=3$ with $b=81$, and else $a>3$, what is $b$?"),
    ("A club has 20 members, 10 boys and 10 girls.", "A club has 25 members, 10 boys and 10 girls."),
    ("For which $n$ is $-50 < n < 60$?", "Multiply 11 by 8 and add the result to 35."),
    ("$AB=14$, $DA=12$. Find a circle inside.", "$PQ=14$, $SP=11$. Find a circle within the edges."),
    ("A leg of a right triangle is 12, at $30^\\circ$.", "A leg of a right triangle is 12, at $50^\\circ$."),
    ("Factor $36-9x^2$.", "Write $9(5-x^2)$ as a product."),
]  # fmt: skip


def objects(check, original: str, paraphrase: str, truth: str | None = None) -> bool:
    return check(pair_of(original, paraphrase, truth), Tolerances()) is not None


@pytest.mark.parametrize(("original", "paraphrase"), KEPT)
def test_what_is_worked_out_or_known_is_kept(original, paraphrase):
    assert not objects(numbers_kept, original, paraphrase)


@pytest.mark.parametrize(("original", "paraphrase"), FAULTS)
def test_a_change_that_could_be_a_sum_is_a_change(original, paraphrase):
    assert objects(numbers_kept, original, paraphrase)


def test_a_unit_may_be_exchanged_throughout_and_nowhere_else():
    original = "A rhombus has diagonals of 6 inches and 8 inches. What is its perimeter in inches?"
    feet = original.replace("inches", "feet")

    assert not objects(units_kept, original, feet, "20")
    assert objects(units_kept, original, feet, "20\\text{ inches}")
    assert objects(units_kept, original, original.replace("6 inches", "6 feet"), "20")
    assert not objects(units_kept, "A rod of 6 inches bends.", "A rod of 6 feet bends.", "20")
    assert objects(units_kept, "An angle of 6 degrees is cut.", "An angle of 6 radians is cut.", "20")


def test_a_figure_that_is_gone_is_not_pointed_at():
    original = "Find the area of the shaded region. [asy] draw((0,0)--(5,0)); [/asy] The radius is 12."

    assert objects(figure_kept, original, "What is the shaded area, as shown, if the radius is 12?")
    assert objects(figure_kept, original, "In the diagram the radius is 12. Find the shaded area.")
    assert not objects(figure_kept, original, "It is given that the radius is 12. Find the shaded area of the circle.")
    assert not objects(figure_kept, "The radius is 12.", "In the diagram the radius is 12.")


@pytest.mark.parametrize(
    ("text", "value"), [("three and a half", 3.5), ("2 and a quarter", 2.25), ("one-thousand-twenty-four", 1024)]
)
def test_a_number_in_several_words_is_one(text, value):
    assert [mention.value for mention in mentions_of(tokens_of(text, segments_of(text)))] == [value]
