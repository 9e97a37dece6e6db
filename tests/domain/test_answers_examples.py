"""What equals what, by example: each convention in both modes, and the merges that other graders got wrong."""

import pytest

from reward_service.domain.answers.classes import group
from reward_service.domain.answers.comparing import Proof, compare
from reward_service.domain.answers.conventions import Conventions
from reward_service.domain.answers.reading import read_answer

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

DIFFERENT = [
    # the wrong merges of other graders
    (r"6\sqrt2-2", "2"), ("12 cm", "12 m"), (r"12\text{ cm}", r"12\text{ m}"), ("12-10d", "2"), ("1202_3", "1202_5"),
    ("any a > 0 will work", "0"), (r"\text{any } a > 0 \text{ will work}", "0"), ("52_8", "52"), (r"50\%", "5"),
    ("x+1", "y+1"), ("(1,2)", "(2,1)"), ("[1,2)", "(1,2]"), ("3.14", r"\pi"), ("0.333", "1/3"), ("2^{10}", "2^{11}"),
    ("-x", "x"), (r"\infty", r"-\infty"), (r"\frac10", r"\infty"),
    # numbers
    ("1 1/2", "11/2"), ("5²", "52"), ("1/0", "1"), ("1/0", "2/0"), ("1234567", "1234568"), ("0.1", "0.10000001"),
    ("1e5", "1e6"), (r"0.\overline{3}", "0.3"), (r"0.\overline{12}", r"0.1\overline{2}"), ("2.3", r"2\cdot3"),
    ("-4", "(-2)^2"),
    ("10^{400}", "10^{401}"), (r"\sqrt2", "1.41421356237"), (r"\sqrt{2+10^{-9}}", r"\sqrt2"),
    (r"\log_2 8", r"\log_8 2"),
    ("3+4i", "3-4i"), ("i", "1"), (r"\frac{3\pi}{4}", r"\frac{4\pi}{3}"), (r"\frac{a}{b}", r"\frac{b}{a}"),
    ("x^2", "2x"),
    # letters
    ("x", "X"), ("n", "N"), ("A", "a"), ("AB", "BA"), ("x", "x'"), ("a_1", "a_2"), ("a_{n+1}", "a_n+1"),
    (r"\pi", "p i"),
    # percent, money, units
    (r"50\%", r"5\%"), (r"50\%", "0.05"), (r"\$5", r"5\text{ euros}"), (r"\$5", r"5\text{ cents}"),
    (r"30^\circ", r"30\text{ cm}"),
    ("5 cm", "5 cm^2"), (r"5\text{ m/s}", r"5\text{ m}"), ("5 apples", "5 oranges"), ("12 cm", "13 cm"),
    ("1 hour", "60 minutes"),
    # names
    ("x=5", "y=5"), ("x=5", "x=-5"), ("x=5", "x>5"), (r"x\neq5", "x=5"), ("x=1,y=2", "x=2,y=1"), ("x>5", "t>5"),
    # equations and inequalities
    ("x+y=1", "x-y=1"), ("x+y=1", "x+y=2"),
    # lists, tuples, sets, intervals, matrices
    ("1,2", "1,3"), ("1,2", "1,2,3"), ("1,2", "2"), ("1,1,2", "1,2"), ("1,2", "(2,1)"), ("(1,2)", r"\{1,2\}"),
    ("(1,2)", "[1,2]"),
    ("(1,234)", "1234"), ("(1,2,3)", "(1,2)"), (r"\{1,2\}", r"\{1,3\}"), (r"\emptyset", "0"), (r"\emptyset", r"\{0\}"),
    (r"(0,1)\cup(1,2)", "(0,2)"), (r"(-\infty,1)\cup(2,3)", r"(-\infty,1]\cup(2,3)"), (r"\pm5", "5"), (r"\pm5", "-5"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&3\\2&4\end{pmatrix}"),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"), ("1:2", "2:1"),
    # bases, choices, words
    ("101_2", "101_3"), ("101_2", "5"), ("A", "B"), ("(A)", "(B)"), ("yes", "no"), (r"\text{even}", r"\text{odd}"),
    ("no solution", "0"), ("Monday", "Tuesday"), (r"\text{five}", r"\text{six}"), ("(A) 12", "B"), ("(A) 12", "13"),
]  # fmt: skip
"""In both modes, and proved so."""

NOT_SAME = [
    (r"\log 100", "2"), ("|x|", "x"), (r"\sqrt{x^2}", "x"), (r"\sum_{k=1}^{3}k", r"\sum_{k=1}^{4}k"), ("x^2=4", "x=2"),
    (r"2\mid n", "2n"), (r"\neg p", "p"), ("x\\equiv 1 \\pmod 3", "x=1"), (r"x\to\infty", r"\infty"), ("f'(x)", "f(x)"),
    ("5'", "5"), (r"\lim_{x\to0}x", "x"), (r"\int x\,dx", r"\int y\,dy"), (r"f^{-1}(x)", "f(x)"),
    ("1, 2, \\ldots", "1, 2"),
    (r"5\text{ a.m.}", r"5\text{ p.m.}"), ("2 3", "23"), ("2 3", "6"),
    ("x>5", r"x\ge5"), ("x>5", "x<5"), ("-x>5", "x>5"), ("1<x<2", r"1\le x<2"), ("x<y", r"x\le y"),
    ("5\\text{ x+y}", "5\\text{ x-y}"),
]  # fmt: skip
"""Not the same in either mode; a judge may know more."""

ONCE_MERGED = [
    ("3!!", "720", "a double factorial is no factorial of a factorial"),
    (r"\frac{\zeta(3)}{\zeta(2)}", r"\frac32", "a letter before brackets may be a function"),
    (r"\frac{\Gamma(3)}{\Gamma(2)}", r"\frac32", "a letter before brackets may be a function"),
    (r"\frac{\phi(10)}{\phi(5)}", "2", "a letter before brackets may be a function"),
    (r"f^{-1}(2)", r"\frac2f", "the inverse of a function is no reciprocal"),
    (r"p\lor q", r"p\land q", "or is not and"),
    (r"x>1\text{ and }x<2", r"x>1\text{ or }x<2", "or is not and"),
    (r"\bar{z}", "z", "a bar conjugates"),
    (r"\overline{z}", "z", "a bar conjugates"),
    ("0.333...", "0.333", "an ellipsis is no full stop"),
    ("1, 2, 3, ...", "1, 2, 3", "an ellipsis is no full stop"),
    (r"\text{cat}", r"\text{act}", "words of three letters are no products"),
    ("0,100", "100", "a group of thousands does not begin with 0"),
    ("x_{a+z}", "x_{a}+z", "a subscript that holds an operation must not look like the operation"),
    ("x_{1^2}", "x_1^2", "a subscript that holds an operation must not look like the operation"),
    (r"5\text{ million}", "5", "a number word is no unit"),
    ("5 million", "5", "a number word is no unit"),
    (r"2\text{ thirds}", "2", "a number word is no unit"),
    (r"5\text{ times }10", "5", "what follows with a number of its own is no unit"),
    (r"3\text{ plus }4", "3", "what follows with a number of its own is no unit"),
    (r"7\text{ remainder }2", "7", "what follows with a number of its own is no unit"),
    (r"5\text{ ft }3\text{ in}", "5", "what follows with a number of its own is no unit"),
    (r"2\text{ squared}", "2", "an operation in words is no unit"),
    (r"100\text{ base two}", "100", "a base in words is no unit"),
    (r"5\text{ or more}", "5", "a bound is no unit"),
    ("12:30", "6:15", "times of day are no quotients"),
    (r"\pm1\pm2", r"\pm3", "signs that may differ are four values"),
    ("(A) 12", "(B) 12", "another choice is another answer"),
    ("exactly n! ways", "exactly n ways", "a factorial is no exclamation mark"),
    (r"(x^2)^{n/2}", "x^n", "a power of an even power keeps no sign"),
    (r"z\overline{z}", "z^2", "a bar conjugates"),
    (r"\vec{x}", "x", "a vector is no number"),
    ("7e+1", "70", "e may be Euler's number"),
    (r"50\%", r"0.5\%", "two doubtful answers do not meet halfway"),
    (r"1\%", r"100\%", "two doubtful answers do not meet halfway"),
    (r"30^\circ", r"30\%", "a sign contradicts another"),
    (r"5\%", r"5\text{ cm}", "a sign contradicts a unit"),
    ("(A) 5", "(A) 6", "the same choice of other things"),
    (r"\emptyset", r"\{\emptyset\}", "a set of nothing is not nothing"),
    ("f^{(2)}(x)", "f^{2}(x)", "a derivative is no power"),
    ("a^{(3)}", "a^3", "a derivative is no power"),
    ("P(2)", "2P", "a letter before brackets may be a function"),
    ("the answer is not 5", "5", "the words around an answer may change it"),
    (r"n\ge0", r"n\le0", "turned round it is another relation"),
]
"""What a fuzzer or a reader of this grammar once found merged."""

LEFT_APART = [
    ("y=2x+1", r"x=\frac{y-1}{2}", "an equation solved for another name"),
    ("(y,x)=(2,1)", "(x,y)=(1,2)", "names of a tuple in another order"),
    (r"90^\circ", r"\frac{\pi}{2}", "degrees as radians"),
]
"""Equal to a generous reader, and not to this one."""

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


def proof(one: str, other: str, conventions: Conventions) -> Proof:
    """Of two answers, whichever comes first."""
    found = {compare(read_answer(a, conventions), read_answer(b, conventions)) for a, b in ((one, other), (other, one))}
    assert len(found) == 1
    return found.pop()


def groups(answers: list[str], conventions: Conventions) -> int:
    return len(group(read_answer(answer, conventions) for answer in answers))


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


@pytest.mark.parametrize("conventions", Conventions)
@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_these_are_different_in_both_modes(a: str, b: str, conventions: Conventions) -> None:
    assert proof(a, b, conventions) is Proof.DIFFERENT
    assert groups([a, b], conventions) == 2


@pytest.mark.parametrize("conventions", Conventions)
@pytest.mark.parametrize(("a", "b"), NOT_SAME)
def test_these_are_not_proved_the_same(a: str, b: str, conventions: Conventions) -> None:
    assert proof(a, b, conventions) is not Proof.SAME
    assert groups([a, b], conventions) == 2


@pytest.mark.parametrize("conventions", Conventions)
@pytest.mark.parametrize(("a", "b", "why"), ONCE_MERGED)
def test_these_are_merged_no_more(a: str, b: str, why: str, conventions: Conventions) -> None:
    assert proof(a, b, conventions) is not Proof.SAME, why
    assert groups([a, b], conventions) == 2


@pytest.mark.parametrize(("a", "b", "why"), LEFT_APART)
def test_these_are_left_apart(a: str, b: str, why: str) -> None:
    assert proof(a, b, LENIENT) is Proof.DIFFERENT, why


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
