"""What is equal, what is not, and what is better left open: a false SAME is the worst there is."""

import pytest
from hypothesis import given, settings

from reward_service.grading.bounds import MAX_CHARS, unfit
from reward_service.grading.comparing import compare
from reward_service.grading.verdicts import Verdict
from tests.domain.answer_texts import texts

SAME = [
    (r"\frac{1}{\sqrt2}", r"\frac{\sqrt{2}}{2}"),
    (r"\sqrt[3]{2+\sqrt5}+\sqrt[3]{2-\sqrt5}", "1"),
    (r"\cos(\pi/7)\cos(2\pi/7)\cos(4\pi/7)", "-1/8"),
    (r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt2"),
    ("(x+1)^2", "x^2+2x+1"),
    ("x(x+1)", "x^2+x"),
    (r"2\frac{1}{2}", "5/2"),
    ("2(3)", "6"),
    (r"\log 8", r"3\log 2"),
    (r"\frac{\ln 3}{\ln 2}", r"\log_2 3"),
    (r"\{1,2\}", r"\{2,1\}"),
    (r"(1,\sqrt{4})", "(1,2)"),
    (r"(-\infty,2]\cup[\sqrt{9},\infty)", r"(-\infty,2]\cup[3,\infty)"),
    ("y=2x+1", "2x-y+1=0"),
    (r"\sin 2\pi x", r"\sin(2x\pi)"),
    (r"\sin x\cdot\cos x", r"\frac{\sin 2x}{2}"),
    ("||x|-1|", "|1-|x||"),
    ("$x$", "x"),
    (r"1<x\le 4/2", r"2 \geq x > 1"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}\frac22&2\\3&\sqrt{16}\end{pmatrix}"),
    (r"\sum_{k=1}^{10} k", "55"),
    (r"\int_0^1 x^2 dx", r"\frac13"),
    (r"2^{2024}", r"4^{1012}"),
    ("0.1(6)", "1/6"),
    (r"3\pi(x+1)", r"3\pi x+3\pi"),
    (r"\ln\binom{4}{2}", r"\ln 2+\ln 3"),
    (r"\sin x\cos x", r"\frac12\sin(2x)"),
]
DIFFERENT = [
    (r"6\sqrt2-2", "2"),
    ("2(3)", "5"),
    ("0.333333", r"\frac13"),
    ("3.14159265358979", r"\pi"),
    (r"e^{\pi\sqrt{163}}", "262537412640768744"),
    ("1+10^{-100}", "1"),
    (r"\sqrt{2+10^{-400}}", r"\sqrt2"),
    ("(1,2)", "(2,1)"),
    ("|x|", "x"),
    (r"\frac{a}{b}", r"\frac{b}{a}"),
    ("1,2", "1,3"),
    ("y=2x+1", "y=2x+2"),
]
OPEN = [
    ("12 cm", "12 m"),
    ("12 cm", "12"),
    ("12-10d", "2"),
    ("1202_3", "1202_5"),
    ("yes", "sey"),
    ("no", "on"),
    ("AB", "BA"),
    ("A", "a"),
    (r"30^\circ", "30"),
    (r"50\%", "50"),
    (r"\log 100", "2"),
    ("10-12", "-2"),
    ("(1,234)", "1234"),
    ("(1,2)", "[1,2]"),
    ("1,2", "2,1"),
    ("f(x)", "xf"),
    ("y(0)=0", "0=0"),
    (r"1/2x", r"\frac{x}{2}"),
    (r"\sin(x)^2", r"\sin(x^2)"),
    ("1/0", "2/0"),
    ("1+e^{-1000}", "1"),
    (r"\tanh(400)", "1"),
    (r"n", r"\lfloor n\rfloor"),
    (r"(-8)^{1/3}", "-2"),
    (r"\lim_{x\to 0}\frac{|x|}{x}", "1"),
    (r"\sum_{k=1}^{3} k+1", "7"),
    ("x^2=4", "x=2"),
    ("3", "x=3"),
    ("$5", "5"),
    (r"\ln 2\sqrt{3}", r"\ln(2\sqrt{3})"),
    (r"\ln 2\cdot 3", r"\ln 6"),
    (r"\frac123", r"\frac{3}{2}"),
    ("2e3", "6e"),
    ("xy(2)", "2xy"),
    (r"\alpha(2)^2", r"4\alpha"),
    ("2^xy", "y2^x"),
    ("2^3^2", "8^2"),
    ("2^3!", "8!"),
    ("0.333...", "0.333"),
    ("7-5, 6-4", "2, 2"),
    ("5 mW", "5Wm"),
    (r"\bar{z}", "z"),
    ("2 3", "6"),
    ("x=5", "y=5"),
    (r"\{1,1\}", r"\{1,\infty-\infty\}"),
]


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        *((a, b, Verdict.SAME) for a, b in SAME),
        *((a, b, Verdict.DIFFERENT) for a, b in DIFFERENT),
        *((a, b, Verdict.UNDECIDED) for a, b in OPEN),
    ],
)
def test_the_verdict_whichever_comes_first(a: str, b: str, verdict: Verdict) -> None:
    assert compare(a, b)[0] is verdict
    assert compare(b, a)[0] is verdict


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "length"),
        ("1+" * 300 + "1", "length"),
        ("(" * 25 + "x" + ")" * 25, "depth"),
        (r"\lfloor e^{10^6}\rfloor", "tower"),
        ("2^{20000}", "exponent"),
        ("2^20000", "exponent"),
        ("501!", "factorial"),
        ("3!!", "factorial"),
        ("1" * 401, "digits"),
        (r"\text{yes}", "prose"),
        (r"\input{x}", "notation"),
    ],
)
def test_what_no_child_is_asked(text: str, reason: str) -> None:
    assert unfit(text) == reason


@settings(max_examples=400, deadline=None)
@given(texts())
def test_any_text_is_fit_or_has_a_reason(text: str) -> None:
    reason = unfit(text)
    assert reason is None or reason.isalpha()
    if reason is None:
        assert len(text) <= MAX_CHARS
