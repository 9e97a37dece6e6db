"""What equals what, by example: each convention in both modes, and what is doubtful beside what is not."""

import pytest
from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.answers.comparing import Proof, group
from reward_service.domain.answers.reading import read_answer
from tests.domain.answer_proofs import groups, proof

LENIENT, STRICT = Conventions.LENIENT, Conventions.STRICT

SAME = [
    # numbers
    "0.5 | 1/2 | 5e-01 | \\frac{1}{2} | \\dfrac12 | \\tfrac 1 2 | .50 | $0.5$ | \\frac{ 1 }{ 2 } | +1/2 | 0.5. | ½",
    "2^{-1} | 0.5 | 5E-1",
    "1,234 | 1234 | 1234.0 | 1,\\!234 | 1{,}234 | 1\\,234 | 1\\ 234 | \\mathbf{1234} | 1.234e3 | 1.234 \\times 10^3",
    "1,234,567.8 | 1234567.8 | 12345678/10",
    "−3 | -3 | -6/2 | \\frac{-3}{1} | -\\frac31 | - 3",
    "2\\frac{1}{2} | 2\\frac12 | 2 1/2 | 5/2 | 2.5 | 2½ | 2 \\dfrac{1}{2}",
    "0.\\overline{3} | 1/3 | 0.3\\overline{3} | \\frac{2}{6}",
    "0.\\overline{142857} | 1/7",
    "0.1\\overline{6} | 1/6",
    "0.\\overline{9} | 1",
    "007 | 7 | 7.000",
    "120 | 5! | 2 \\cdot 3\\cdot 4 \\times 5 | (10)(12)",
    "10 | \\binom{5}{2} | \\binom52 | \\dbinom{5}{2}",
    "-4 | -2^2 | -(2^2)",
    # radicals, logarithms, complex numbers
    "2\\sqrt2 | \\sqrt8 | \\sqrt{8} | 2\\cdot\\sqrt{2} | 8^{1/2} | 2^{3/2} | 2^{1.5} | \\frac{4}{\\sqrt2} | 2√2",
    "\\frac{1}{\\sqrt{2}} | \\frac{\\sqrt2}{2} | \\sqrt{\\frac12} | \\frac12\\sqrt2 | \\sqrt{0.5}",
    "1+\\sqrt2 | \\sqrt2+1 | \\sqrt{3+2\\sqrt2} | \\frac{1}{\\sqrt2-1}",
    "\\sqrt[3]{16} | 2\\sqrt[3]{2} | 16^{1/3}",
    "-2 | \\sqrt[3]{-8} | (-8)^{1/3}",
    "\\log_2 8 | 3 | \\log_{2}{8} | \\log_2(8)",
    "\\ln 8 | 3\\ln 2 | \\ln(8)",
    "\\frac{\\ln 3}{\\ln 2} | \\log_2 3",
    "\\ln e | 1 | e^0",
    "i^2 | -1",
    "2i | \\sqrt{-4} | i\\cdot2",
    "(2+3i)(2-3i) | 13",
    "\\frac{1}{1+i} | \\frac{1-i}{2} | \\frac12-\\frac{i}{2}",
    "3+4i | 4i+3",
    "\\frac{3\\pi}{4} | \\frac34\\pi | 3\\pi/4 | 0.75\\pi | \\pi\\cdot\\frac{3}{4}",
    # algebra
    "(x+1)^2 | x^2+2x+1 | 1+x(x+2) | (1+x)(x+1)",
    "\\frac{x^2-1}{x-1} | x+1",
    "\\frac{1}{x}+\\frac{1}{x+1} | \\frac{2x+1}{x(x+1)} | \\frac{2x+1}{x^2+x}",
    "2xy^2 | 2\\cdot x\\cdot y^2 | y^{2}x\\cdot 2",
    "-\\frac{x}{2} | \\frac{-x}{2} | \\frac{x}{-2} | -0.5x | -x/2",
    "a_1+a_2 | a_{2}+a_{1}",
    "2^{n+1} | 2\\cdot2^n",
    # equations and inequalities
    "x=5 | 5=x | x-5=0 | 2x=10",
    "x+y=1 | 2x+2y=2 | 1=y+x | x+y-1=0 | 1-x-y=0",
    "y=2x+1 | y = 1+2x",
    "x>5 | (5,\\infty) | x \\in (5,\\infty) | (5, +\\infty) | \\left(5,\\infty\\right)",
    "1\\le x<2 | 2>x\\geq1 | [1,2) | x\\in[1,2) | 1 \\leq x \\lt 2",
    "2x-1>9 | 10<2x | 0>10-2x",
    "x<y | y>x | x-y<0",
    "x>5 | 5<x | 0<x-5",
    "y=2x | 2x-y=0",
    # sets, tuples, intervals, matrices
    "(3, 4) | \\left( 3,\\, 4 \\right) | (3,4) | (\\frac62, 4.0)",
    "\\{1,2\\} | \\{2,1\\} | \\left\\{ 1, 2\\right\\} | \\{1,2,1\\}",
    "(-\\infty,1)\\cup(2,3) | (2,3)\\cup(-\\infty,1)",
    "(0,1]\\cup(1,2) | (0,2) | (0,1)\\cup[1,2)",
    "\\emptyset | \\{\\} | \\varnothing | ∅",
    "(-\\infty,\\infty) | \\mathbb{R} | \\text{all real numbers}",
    "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix} | \\begin{bmatrix} 1 & 2 \\\\ 3 & 4 \\end{bmatrix}"
    " | \\left(\\begin{array}{cc}1&2\\\\3&\\frac82\\end{array}\\right) | \\begin{pmatrix}1&2\\\\3&4\\\\\\end{pmatrix}",
    "\\pm 5 | \\pm5 | ±5",
    "x=\\pm 2 | x = 2, x=-2",
    # bases and choices and words
    "52_8 | 52_{8} | (52)_8 | 52_{\\text{eight}}",
    "1F_{16} | 1f_{16}",
    "12_{10} | 12",
    "A | (A) | \\text{A} | \\textbf{(A)} | \\mathrm{A} | A.",
    "yes | Yes | \\text{yes} | \\textbf{Yes.} | YES",
    "no solution | No solution. | \\text{no solution} | \\text{ No  solution }",
    "the blue car | blue car | Blue car",
    "\\text{Monday} | Monday | monday",
    "\\infty | +\\infty | ∞ | \\text{infinity}",
    "undefined | \\text{Undefined}",
    "5 \\text{ cm}^2 | 5\\text{ square centimeters} | 5\\text{ cm}^{2} | 5 \\, \\text{sq cm}",
    "12\\text{ cm} | 12 cm | 12\\,\\mathrm{cm} | 12\\text{ centimeters}",
    "\\$5 | 5\\text{ dollars} | 5 dollars | 5\\text{ USD}",
    "60\\text{ mph} | 60\\text{ miles per hour} | 60\\text{ mi/h}",
]
"""In both modes; every one with every other."""
LENIENT_ONLY = [
    ("12 cm", "12"), (r"12\text{ m}", "12"), ("12\\text{ apples}", "12"), (r"\$5", "5"),
    (r"30^\circ", "30"), (r"30^{\circ}", "30"), (r"50\%", "50"), ("50 percent", "50"),
    ("1,2", "2,1"), ("1, 2, 3", "3, 2, 1"), (r"1\text{ and }2", "2, 1"), ("1,2", r"\{1,2\}"),
    (r"2\text{ or }1", r"\{1,2\}"),
    ("1,2", "(1,2)"), ("1:2", r"\frac12"), ("2:3", r"\frac23"), (r"\{5\}", "5"), ("[1,2,3]", r"\{3,2,1\}"),
    (r"\pm 2", r"\{2,-2\}"), (r"1\pm\sqrt5", r"1-\sqrt5, 1+\sqrt5"),
    ("(A) 12", "A"), ("(A) 12", "12"), ("B. 7", "B"),
    (r"\sin 30^\circ", r"\sin 30"), (r"\cos(6^\circ)\sin(12^\circ)", r"\cos(6)\sin(12)"),
    ("x=12 cm", "x=12"), ("(3\\text{ cm}, 4\\text{ cm})", "(3,4)"), ("10,200", "(10,200)"),
]  # fmt: skip
"""The same in lenient mode; in strict mode they are not."""
UNNAMED = [
    ("x=5", "5"),
    ("5", "n=5"),
    ("y=2x+1", "2x+1"),
    (r"x\in[1,2]", "[1,2]"),
    ("f(x)=x^2", "x^2"),
    ("x=1,2", "x=1, x=2"),
]
"""A name that is left out contradicts none."""
SEEN_SAME = [
    (r"x>2\text{ or }x<1", r"(-\infty,1)\cup(2,\infty)", "inequalities with an or are a union"),
    ("AB", r"\overline{AB}", "a segment with and without its bar"),
    (r"5\text{ million}", "5000000", "a number word multiplies"),
    ("(C) 12", "C", "a choice with its content"),
    (r"The final answer is $\frac{1}{2}$.", "0.5", "the phrase before an answer says nothing"),
    ("So the answer is: x=3", "3", "the phrase before an answer says nothing"),
    ("5<x", r"(5,\infty)", "a name on the other side"),
    (r"\textbf{(C)}\ 12", "C", "a choice in bold before its value, as the AMC's are"),
    (r"\textbf{(C)}\ 12", "12", "a choice in bold before its value, as the AMC's are"),
]
"""Equal to a lenient reader, in ways that took a second look."""


@pytest.mark.parametrize("conventions", Conventions)
@pytest.mark.parametrize("row", SAME)
def test_these_are_one_in_both_modes(row: str, conventions: Conventions) -> None:
    answers = row.split(" | ")
    assert len(answers) > 1
    wrong = [(a, b) for a in answers for b in answers if proof(a, b, conventions) is not Proof.SAME]
    assert not wrong
    assert groups(answers, conventions) == 1


@pytest.mark.parametrize(("a", "b"), LENIENT_ONLY)
def test_these_are_one_to_a_lenient_reader_alone(a: str, b: str) -> None:
    assert proof(a, b, LENIENT) is Proof.SAME
    assert groups([a, b], LENIENT) == 1
    assert proof(a, b, STRICT) is not Proof.SAME


@pytest.mark.parametrize("conventions", Conventions)
@pytest.mark.parametrize(("a", "b"), UNNAMED)
def test_a_name_may_be_left_out(a: str, b: str, conventions: Conventions) -> None:
    assert proof(a, b, conventions) is Proof.SAME


@pytest.mark.parametrize(("a", "b", "why"), SEEN_SAME)
def test_these_are_seen_to_be_the_same(a: str, b: str, why: str) -> None:
    assert proof(a, b, LENIENT) is Proof.SAME, why
    assert groups([a, b], LENIENT) == 1


@pytest.mark.parametrize(
    "text",
    [r"\log e", r"\frac.5", r"\binom.5 1", "x={}", "1e5000", "1e-9999", r"\{1e5000\}", r"1\frac12.x", r"\log e^2"],
)
def test_this_is_read_without_an_error(text: str) -> None:
    for conventions in Conventions:
        assert read_answer(text, conventions).meanings


@pytest.mark.parametrize(
    ("answers", "classes"),
    [
        (["12", "12 cm", r"12\text{ m}"], [{"12"}, {"12 cm"}, {r"12\text{ m}"}]),
        (["12", "12 cm"], [{"12", "12 cm"}]),
        ([r"50\%", "50"], [{r"50\%", "50"}]),
        ([r"50\%", "50", "1/2"], [{r"50\%", "1/2"}, {"50"}]),
        (["x=5", "y=5", "5"], [{"x=5"}, {"y=5"}, {"5"}]),
        (["1,2", "2,1", "(1,2)"], [{"1,2", "(1,2)"}, {"2,1"}]),
        (["1,2", "2,1", r"\{1,2\}"], [{"1,2", "2,1", r"\{1,2\}"}]),
        (["1,234", "1234", "(1,234)"], [{"1,234", "1234"}, {"(1,234)"}]),
        (["(A) 12", "A", "B"], [{"(A) 12", "A"}, {"B"}]),
        (["(A) 12", "12"], [{"(A) 12", "12"}]),
    ],
)
def test_what_is_doubtful_is_decided_by_what_is_not(answers: list[str], classes: list[set[str]]) -> None:
    found = group(read_answer(answer) for answer in answers)
    parted = sorted(sorted(reading.text for reading in each.members) for each in found)
    assert parted == sorted(map(sorted, classes))
