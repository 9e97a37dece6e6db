"""What does not equal what, by example: in either mode, and the merges that other graders got wrong."""

import pytest
from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.answers.comparing import Proof
from tests.domain.answer_proofs import groups, proof

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
    assert proof(a, b, Conventions.LENIENT) is Proof.DIFFERENT, why
