"""Limits and degrees as the judge reads them: what it decides, and what it leaves open."""

import pytest

from reward_service.grading.comparing import compare
from reward_service.grading.verdicts import Verdict

DECIDED = [
    (r"\lim_{x\to 0}\frac{1-\cos x}{x^2}", r"\frac12", Verdict.SAME),
    (r"\lim_{n\to\infty}\left(1+\frac1n\right)^n", "e", Verdict.SAME),
    (r"\lim_{x \to 2}\frac{x^2-4}{x-2}", "4", Verdict.SAME),
    (r"\lim_{x\to -\infty}\frac{x}{x+1}", "1", Verdict.SAME),
    (r"\lim_{x\to 0}\frac{e^x-1}{x}", "1", Verdict.SAME),
    (r"\lim_{x \to 2}\frac{x^2-4}{x-2}", "5", Verdict.DIFFERENT),
    (r"\lim_{x\to 0}\frac{\sin 2x}{x}", "1", Verdict.DIFFERENT),
    (r"\sin 20^\circ\sin40^\circ\sin80^\circ", r"\frac{\sqrt3}{8}", Verdict.SAME),
    (r"\tan 22.5^{\circ}", r"\sqrt2+1", Verdict.DIFFERENT),
]
LEFT_OPEN = [
    (r"\lim_{x\to 0}\frac{|x|}{x}", "1", "its sides differ"),
    (r"\lim_{x\to\infty} x", "1", "it is infinite"),
    (r"\lim_{x\to 0} x+1", "1", "nobody knows where it ends"),
    (r"\lim_{h\to 0}\frac{(x+h)^2-x^2}{h}", "2x", "it has two letters"),
    (r"90^\circ", r"\frac{\pi}{2}", "degrees alone are not turned into radians"),
]


@pytest.mark.parametrize(("one", "other", "verdict"), DECIDED)
def test_these_are_decided(one: str, other: str, verdict: Verdict) -> None:
    assert compare(one, other)[0] is compare(other, one)[0] is verdict


@pytest.mark.parametrize(("one", "other", "why"), LEFT_OPEN)
def test_these_are_left_open(one: str, other: str, why: str) -> None:
    assert compare(one, other)[0] is Verdict.UNDECIDED, why
